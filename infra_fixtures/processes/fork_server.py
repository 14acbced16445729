"""Processes forked from this one before it serves, which wait to be started: they need not import again what it has.

Fork while there is one thread and no event loop (https://docs.python.org/3/library/os.html#os.fork).
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra_fixtures.processes.parent_death import die_with_parent


@dataclass(slots=True)
class ForkedProcess:
    """A child that waits; like a Popen it is asked by `poll` whether it has ended."""

    pid: int
    write_end: int
    returncode: int | None = None

    def release(self, variables: Mapping[str, str]) -> None:
        """Start it, with these environment variables beside those it has."""
        os.write(self.write_end, json.dumps(dict(variables)).encode())
        os.close(self.write_end)

    def poll(self) -> int | None:
        """Its exit status once it has ended (negative where a signal ended it), else None."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def fork_process(run: Callable[[], None], log: Path, others: Iterable[ForkedProcess] = ()) -> ForkedProcess:
    """Fork a child that will `run`, its output in `log`; it dies with this process.

    `others` are those forked before, whose pipes the child must not keep open.
    """
    read_end, write_end = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.close(read_end)
        return ForkedProcess(pid, write_end)
    status = 1
    try:
        for inherited in (write_end, *(other.write_end for other in others)):
            os.close(inherited)
        os.setsid()
        die_with_parent()
        released = b"" if os.getppid() != parent else os.read(read_end, 65_536)
        os.close(read_end)
        if released:
            os.environ.update(json.loads(released))
            _write_to(log)
            run()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _write_to(log: Path) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.close(descriptor)
