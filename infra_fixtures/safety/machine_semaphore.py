"""One drill at a time for every two cores: drills on one machine measure one after the other, as each would be the
other's outage.

A two-region system and its load keep two cores busy, and standing another up takes all that are left: on a small machine
both would find no steady state, or find one that is not the system's own. So a machine has one place for every two cores.

A drill takes two places. One is in a directory of its own user's, where nobody else can hold, remove or forge anything: so
two drills of one user never run together. The other is in a directory that every user may write to, so that drills of
different users wait for each other as well; there another user can hold a place for ever, of which the refusal says who,
or remove one, so that a drill of theirs runs beside this one.

The kernel frees a place when its holder dies. Places hold between network namespaces, and between containers that mount
/tmp. Two containers that share no file system cannot know of each other: each has its own target, so neither harms the
other's system, but they share the processors, and the processor wait that each drill records is all that tells.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from drill.unusable import UnusableInput
from drill.wait import WaitTimeout, wait_until
from infra_fixtures.safety.lock_files import directory_for_all, holder_of, lock, own_directory

CORES_A_DRILL = 2
LIMIT_S = 600.0
EVERY_S = 0.1
GIVE_WAY_S = 0.5
"""Whoever had a place waits so long before the next, several looks of those who wait: nobody is passed over for ever."""
DIRECTORY = Path("/tmp/failover-drill-turns")  # not TMPDIR: each user may have another


@contextlib.contextmanager
def machine_semaphore(
    on_wait: Callable[[], None], *, places: int | None = None, limit_s: float = LIMIT_S, directory: Path = DIRECTORY
) -> Iterator[None]:
    """Hold one of this machine's `places` (default: one for every two cores); `on_wait` is called once if all are taken.

    Raises UnusableInput where none becomes free within `limit_s`, naming who holds them, or where `directory`, or the one
    beside it that is this user's own, cannot hold them.
    """
    count = places or max(1, (os.cpu_count() or CORES_A_DRILL) // CORES_A_DRILL)
    waiting = _Waiting(on_wait, limit_s)
    with contextlib.ExitStack() as rooms, contextlib.ExitStack() as taken:
        for opened in (own_directory, directory_for_all):
            room = opened(directory)
            rooms.callback(os.close, room)
            taken.callback(os.close, waiting.take(room, directory, count))
        try:
            yield
        finally:
            taken.close()
            time.sleep(GIVE_WAY_S)


class _Waiting:
    """One wait for places, of `limit_s` seconds altogether."""

    def __init__(self, on_wait: Callable[[], None], limit_s: float) -> None:
        self._tell: Callable[[], None] | None = on_wait
        self._limit_s = limit_s
        self._until_s = time.monotonic() + limit_s

    def take(self, room: int, directory: Path, count: int) -> int:
        """A place, open and locked."""
        free: list[int] = []

        def look() -> bool:
            for number in range(count):
                taken = lock(room, f"place-{number}")
                if taken is not None:
                    free.append(taken)
                    return True
            return False

        if look():
            return free[0]
        if self._tell is not None:
            self._tell()
            self._tell = None
        left_s = max(0.0, self._until_s - time.monotonic())
        try:
            wait_until(look, what="this machine's turn to drill", timeout_s=left_s, every_s=EVERY_S)
        except WaitTimeout as e:
            held = ", ".join(holder_of(room, f"place-{number}") for number in range(count))
            raise UnusableInput(
                f"other drills kept this machine for {self._limit_s:g} s (files in {directory} are held: {held}): let them "
                "end, or stop them, and start again"
            ) from e
        return free[0]
