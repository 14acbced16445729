"""The board of changes: wakes who waits, and leaves no thread and no connection."""

from __future__ import annotations

import contextlib
import threading
import time

import psutil

from drill.wait import wait_until
from infra_fixtures.run_layout import RunLayout
from infra_fixtures.targets.change_feed import ChangeFeed
from infra_fixtures.targets.clients import Clients

EC2 = frozenset({"ec2"})


def test_a_change_wakes_who_waits_and_the_end_leaves_nothing(control_plane: RunLayout) -> None:
    """A tag's change is heard long before the time is up; after `stop` the thread and its connection are gone."""
    board = ChangeFeed(control_plane)
    board.start()
    wait_until(lambda: _listening(control_plane), what="the board to listen", timeout_s=5)
    with contextlib.closing(Clients(control_plane)) as clients:
        ec2 = clients.client("ec2", "us-east-1")
        woken = threading.Thread(target=board.wait, args=(EC2, 20.0))
        woken.start()
        while woken.is_alive():
            ec2.create_vpc(CidrBlock="10.9.0.0/16")
            woken.join(0.2)
    board.stop()
    assert not _listening(control_plane)
    assert not [t for t in threading.enumerate() if t.name == "change-feed"]


def test_whoever_waits_at_the_end_is_woken(control_plane: RunLayout) -> None:
    """Nothing changes any more, and nobody waits for it."""
    board = ChangeFeed(control_plane)
    board.start()
    waiting = threading.Thread(target=board.wait, args=(EC2, 60.0))
    waiting.start()
    board.stop()
    waiting.join(10)
    assert not waiting.is_alive()


def test_a_board_that_never_listened_is_stopped(control_plane: RunLayout) -> None:
    """What failed before it began to listen is ended the same way, at once."""
    began = time.monotonic()
    ChangeFeed(control_plane).stop()
    assert time.monotonic() - began < 2


def _listening(layout: RunLayout) -> bool:
    internal = (layout.internal.host, layout.internal.port)
    return any(c.raddr == internal for c in psutil.Process().net_connections("tcp"))
