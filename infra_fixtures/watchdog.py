"""A process that outlives the harness: when the harness dies without saying goodbye, it heals and stops everything.

It waits on its standard input, a pipe whose other end only the harness holds: the kernel closes it however the harness
dies, SIGKILL included. A line "done" first means that the harness tidied up itself. What it does stands in the run's
directory, in watchdog.log.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from drill.host_environment import child_environment
from infra_fixtures.orphan_runs import heal_orphan
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.safety.journal import JOURNAL

FAREWELL = b"done\n"
LOG = "watchdog.log"
WATCHDOG = "watchdog"

log = logging.getLogger(__name__)


class Watchdog:
    """The harness's side: starts the watchdog and dismisses it when all is tidy; `more` are variables that healing needs."""

    def __init__(self, journal_dir: Path, more: Mapping[str, str] | None = None) -> None:
        with (journal_dir / LOG).open("ab") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "infra_fixtures.watchdog"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=said,
                env=child_environment(os.environ, **{**(more or {}), "PYTHONPATH": str(REPOSITORY)}),
                start_new_session=True,
            )
        # Told here and not on the command line, so that nobody takes the watchdog for one of the run's own processes.
        assert self._process.stdin is not None
        self._process.stdin.write(os.fsencode(journal_dir.resolve()) + b"\n")
        self._process.stdin.flush()

    def dismiss(self) -> None:
        """Say that everything is healed and stopped; returns when the watchdog is gone."""
        try:
            self._process.communicate(FAREWELL, timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        except OSError:
            self._process.wait()  # it is dead already

    def take_over(self) -> None:
        """Leave the rest to it: it heals and ends the run once this process has closed the journal."""
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Its process, for whoever must know that it lives."""
        return self._process


def main() -> None:
    """Wait for the harness's end; where it came without a farewell, undo the run's faults and end what is left of it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    journal_dir = Path(os.fsdecode(sys.stdin.buffer.readline().rstrip(b"\n")))
    if sys.stdin.buffer.read() == FAREWELL or not journal_dir.is_absolute():
        return  # all is tidy, or the harness was gone before it had said where
    log.info("the harness is gone")
    try:
        log.info("%s", heal_orphan(journal_dir / JOURNAL, by=WATCHDOG))
    except Exception:  # the journal stays open: the next run refuses to start and names the heal command
        log.exception("not everything could be healed")
        sys.exit(1)


if __name__ == "__main__":
    main()
