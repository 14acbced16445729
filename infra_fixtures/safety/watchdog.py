"""A process that outlives the harness: when the harness dies without saying goodbye, it heals and stops everything.

It waits on its standard input, a pipe whose other end only the harness holds: the kernel closes it however the harness
dies, SIGKILL included. A line "done" first means that the harness tidied up itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from infra_fixtures.safety.journal import Journal
from infra_fixtures.safety.sweep import sweep

FAREWELL = b"done\n"


class Watchdog:
    """The harness's side: starts the watchdog and dismisses it when all is tidy."""

    def __init__(self, run_id: str, work_dir: Path, journal_dir: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "infra_fixtures.safety.watchdog", run_id, str(work_dir), str(journal_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """Say that everything is healed and stopped; returns when the watchdog is gone."""
        try:
            self._process.communicate(FAREWELL, timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """The watchdog's process id."""
        return self._process.pid


def main(run_id: str, work_dir: Path, journal_dir: Path) -> None:
    """Wait for the harness's end; where it came without a farewell, end the run's processes and close its journal.

    An embedded system is gone with its processes, and its faults with it: ending them is the healing.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.buffer.read() == FAREWELL:
        return
    os.chdir("/")
    sweep(run_id, work_dir)
    journal = Journal(journal_dir)
    for begun in journal.open_entries():
        journal.healed(begun.entry, by="watchdog")
    journal.close()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
