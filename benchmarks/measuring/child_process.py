"""Work in a process of its own beside the benchmark, so that neither takes the other's interpreter lock."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.measuring.figure import Failed

READY = "ready"
LIMIT_S = 60.0
EXIT_S = 2.0


@contextlib.contextmanager
def child_process(work: Callable[..., None], *arguments: Any) -> Iterator[Connection]:
    """Run `work(connection, *arguments)` in a fresh interpreter until the block ends, once it has sent READY.

    The connection then serves both to talk; `work` is terminated at the end, whatever it does.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_work, args=(work, there, *arguments), daemon=True)
    process.start()
    there.close()
    try:
        said = receive(here, what=work.__name__)
        if said != READY:
            raise Failed(f"{work.__name__} said {said!r} instead of being ready")
        yield here
    finally:
        here.close()
        process.terminate()
        process.join(EXIT_S)
        if process.is_alive():
            process.kill()
            process.join()


def _work(work: Callable[..., None], there: Connection, *arguments: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the benchmark, which ends this process in its turn
    work(there, *arguments)


def receive(connection: Connection, *, what: str, limit_s: float = LIMIT_S) -> Any:
    """What the process says next; raises Failed where it dies or keeps silent for `limit_s`."""
    try:
        if not connection.poll(limit_s):
            raise Failed(f"{what} said nothing within {limit_s:g} s")
        return connection.recv()
    except EOFError:
        raise Failed(f"{what} died in its process; its traceback is above") from None
