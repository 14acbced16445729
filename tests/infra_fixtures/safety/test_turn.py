"""Drills of one machine take turns, whoever runs them and however they end."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid

import pytest

from drill.unusable import UnusableInput
from drill.wait import wait_until
from infra_fixtures.safety.turn import turn
from infra_fixtures.site import REPOSITORY

HOLD = """
import sys, time
from infra_fixtures.safety.turn import turn
with turn(lambda: None, places=1, name=chr(0) + sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def name() -> str:
    """Places of this test alone."""
    return f"\0failover-drill-test/{uuid.uuid4().hex}-{{}}"


def test_one_waits_for_the_other_and_says_so(name: str) -> None:
    """With one place the second enters only when the first has left, and was told once that it waits."""
    inside: list[str] = []
    told: list[bool] = []

    def second() -> None:
        with turn(lambda: told.append(True), places=1, name=name):
            inside.append("second")

    with turn(lambda: inside.append("waited"), places=1, name=name):
        other = threading.Thread(target=second)
        other.start()
        wait_until(lambda: bool(told), what="the second to wait", timeout_s=5)
        time.sleep(0.3)
        assert inside == []
    other.join(5)
    assert (inside, told) == (["second"], [True])


def test_who_had_a_turn_gives_way(name: str) -> None:
    """Somebody who takes turn after turn does not keep out one who waits."""
    got = threading.Event()

    def other() -> None:
        with turn(lambda: None, places=1, name=name):
            got.set()

    waiting = threading.Thread(target=other)
    with turn(lambda: None, places=1, name=name):
        waiting.start()
        time.sleep(0.3)
    with turn(lambda: None, places=1, name=name):
        assert got.is_set()
    waiting.join(5)


def test_two_places_are_two_turns(name: str) -> None:
    """Where there is room for two, the second does not wait."""
    with turn(lambda: None, places=2, name=name), turn(lambda: pytest.fail("it waited"), places=2, name=name):
        pass


def test_a_killed_holder_frees_its_place(name: str) -> None:
    """SIGKILL of whoever has the turn: the next one gets it."""
    holder = subprocess.Popen([sys.executable, "-c", HOLD, name[1:]], cwd=REPOSITORY, stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(UnusableInput, match="let them end"), turn(lambda: None, places=1, name=name, limit_s=0.3):
            pass
    finally:
        holder.kill()
        holder.wait()
    with turn(lambda: pytest.fail("it waited"), places=1, name=name):
        pass
