"""What is held is counted, and its growth is told from what the first times leave."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import uuid

import msgspec
import pytest

from benchmarks.measuring.growth import slope, slopes
from tests.holdings import Holdings


def test_what_is_held_is_counted() -> None:
    """A socket, a pipe, a thread, a directory and a child more are seen, and no longer once they are gone."""
    name = f"holdings-{uuid.uuid4().hex}"
    before = Holdings.of(name)
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    with socket.socket(), tempfile.TemporaryDirectory(prefix=name):
        ends = os.pipe()
        thread.start()
        held = Holdings.of(name)
    release.set()
    thread.join()
    for end in ends:
        os.close(end)
    grown = {kind: held.counts()[kind] - n for kind, n in before.counts().items() if held.counts()[kind] != n}
    assert grown == {"descriptors": 3, "descriptors before collecting": 3, "threads": 1, "directories": 1}
    assert held.descriptors["socket"] - before.descriptors.get("socket", 0) == 1
    assert held.descriptors["pipe"] - before.descriptors.get("pipe", 0) == 2
    assert Holdings.of(name).counts() == before.counts()


def test_a_descriptor_that_only_a_cycle_holds_is_counted_before_collecting() -> None:
    """It comes back by itself, but may come back too late."""
    before = Holdings.of("none").counts()
    cycle: list[object] = [socket.socket()]
    cycle.append(cycle)
    del cycle
    held = Holdings.of("none").counts()
    assert held["descriptors before collecting"] == before["descriptors"] + 1
    assert held["descriptors"] == before["descriptors"]


def test_growth_is_that_of_the_later_times() -> None:
    """What the first times leave does not count, nor what one of them holds by chance; what each time leaves does."""
    assert slope([5, 40, 41, 41, 41]) == 0
    assert slope([5, 40, 41, 41, 43, 41, 41]) == 0
    assert slope([5, 40, 68, 95, 122]) == pytest.approx(27)
    assert slope([1, 2, 3]) == 0


def test_growth_is_told_of_each_count() -> None:
    """One more thread each time is a slope of 1 there, and 0 elsewhere."""
    one = Holdings.of("none")
    times = [msgspec.structs.replace(one, threads=number) for number in range(5)]
    assert {name for name, growth in slopes(times).items() if growth} == {"threads"}
    assert slopes(times)["threads"] == pytest.approx(1)
