"""Runs Chaos Toolkit and ends with status 0 only where every activity of its journal succeeded.

Chaos Toolkit itself counts an experiment as completed, and ends with status 0, also where its actions failed. Started by its
path and with any Python: `chaos_run.py JOURNAL COMMAND...`; it imports nothing but the standard library.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def failed_activities(journal: Path) -> list[str]:
    """What the journal says of each that did not succeed; raises OSError, ValueError and KeyError where it says nothing."""
    told = json.loads(journal.read_text(encoding="utf-8"))
    failed = [run for run in told["run"] if run["status"] != "succeeded"]
    sentences = [f"{run['activity']['name']} {run['status']}" for run in failed]
    expected = len(told["experiment"]["method"])
    if told["status"] != "completed" or len(told["run"]) < expected:
        sentences.append(f"{len(told['run'])} of {expected} activities were run, and it ended as {told['status']}")
    return sentences


def main(journal: str, *command: str) -> int:
    """Chaos Toolkit's own status where that is not 0, 1 where an activity did not succeed or its journal is not there."""
    path = Path(journal)
    path.unlink(missing_ok=True)  # another run's must not speak for this one
    status = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    if status:
        return status
    try:
        failed = failed_activities(path)
    except (OSError, ValueError, KeyError, TypeError) as e:
        failed = [f"its journal cannot be read ({type(e).__name__}: {e})"]
    sys.stdout.write(f"{'; '.join(failed) or 'every activity succeeded'}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
