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

import msgspec

from infra_fixtures.safety.journal import Journal
from infra_fixtures.safety.sweep import sweep

FAREWELL = b"done\n"


class Watchdog:
    """The harness's side: starts the watchdog and dismisses it when all is tidy."""

    def __init__(self, run_id: str, work_dir: Path, journal_dir: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "infra_fixtures.safety.watchdog"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # Told here and not on the command line, so that a sweep does not take the watchdog for one of the run's own.
        assert self._process.stdin is not None
        self._process.stdin.write(
            msgspec.json.encode([run_id, str(work_dir.resolve()), str(journal_dir.resolve())]) + b"\n"
        )
        self._process.stdin.flush()

    def dismiss(self) -> None:
        """Say that everything is healed and stopped; returns when the watchdog is gone."""
        try:
            self._process.communicate(FAREWELL, timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """Its process, for whoever must know that it lives."""
        return self._process

    @property
    def pid(self) -> int:
        """The watchdog's process id."""
        return self._process.pid


def main() -> None:
    """Wait for the harness's end; where it came without a farewell, end the run's processes and close its journal.

    An embedded system is gone with its processes, and its faults with it: ending them is the healing.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")
    run_id, work, journal_dir = msgspec.json.decode(sys.stdin.buffer.readline(), type=tuple[str, str, str])
    if sys.stdin.buffer.read() == FAREWELL:
        return
    work_dir = Path(work)
    sweep(run_id, work_dir)
    journal = Journal(Path(journal_dir))
    for begun in journal.open_entries():
        journal.healed(begun.entry, by="watchdog")
    journal.close()


if __name__ == "__main__":
    main()
