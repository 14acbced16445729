"""Whose turn it is: drills on one machine measure one after the other, as each would be the other's outage.

A two-region system and its load keep two cores busy, and standing another up takes all that are left: on a small machine
both would find no steady state, or find one that is not the system's own. So a machine has one place for every two cores.
A place is an abstract Unix socket, as a run's network is: it belongs to no user, and the kernel frees it when its holder
dies.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator

from drill.unusable import UnusableInput
from drill.wait import WaitTimeout, wait_until

CORES_A_DRILL = 2
LIMIT_S = 600.0
EVERY_S = 0.1
GIVE_WAY_S = 0.5
"""Whoever had a turn waits so long before the next, several looks of those who wait: nobody is passed over for ever."""
NAME = "\0failover-drill/turn-{}"


@contextlib.contextmanager
def turn(
    on_wait: Callable[[], None], *, places: int | None = None, limit_s: float = LIMIT_S, name: str = NAME
) -> Iterator[None]:
    """Hold one of this machine's `places` (default: one for every two cores); `on_wait` is called once if all are taken.

    Raises UnusableInput where none becomes free within `limit_s`.
    """
    count = places or max(1, (os.cpu_count() or CORES_A_DRILL) // CORES_A_DRILL)
    held = _take(name, count) or _wait(name, count, on_wait, limit_s)
    try:
        yield
    finally:
        held.close()
        time.sleep(GIVE_WAY_S)


def _wait(name: str, count: int, on_wait: Callable[[], None], limit_s: float) -> socket.socket:
    on_wait()
    try:
        free = wait_until(
            lambda: _take(name, count), what="this machine's turn to drill", timeout_s=limit_s, every_s=EVERY_S
        )
    except WaitTimeout as e:
        raise UnusableInput(
            f"other drills kept this machine for {limit_s:g} s: let them end, or stop them, and start again"
        ) from e
    assert free is not None
    return free


def _take(name: str, count: int) -> socket.socket | None:
    for number in range(count):
        place = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            place.bind(name.format(number))
        except OSError:
            place.close()
            continue
        return place
    return None
