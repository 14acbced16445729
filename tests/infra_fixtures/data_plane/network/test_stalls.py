"""Stalls come at random moments with the mean interval asked for, and hold what is sent while they last."""

from __future__ import annotations

import itertools
import random

import pytest

from infra_fixtures.data_plane.network.conditions import Stall
from infra_fixtures.data_plane.network.stalls import StallClock

LOSSY = Stall("lossy", every_s=0.8, for_s=0.2)
CONNECTIONS = 4000


@pytest.fixture(autouse=True)
def same_moments() -> None:
    """The same random moments in each run."""
    random.seed(20)


def _held_for_s(clock: StallClock, at_s: float, *stalls: Stall) -> float:
    return clock.passes_at(at_s, stalls) - at_s


def test_a_busy_connection_stalls_as_often_and_as_long_as_asked() -> None:
    """Over 1,000 s something sent each millisecond meets a stall 1,000 times within 10 %, never for longer than one takes."""
    clock = StallClock()
    held = [_held_for_s(clock, ms / 1000, LOSSY) for ms in range(1_000_000)]
    starts = sum(1 for before, now in itertools.pairwise(held) if now and not before)
    assert starts == pytest.approx(1000, rel=0.1)
    assert max(held) <= LOSSY.for_s + 1e-9
    assert sum(1 for h in held if h) / len(held) == pytest.approx(0.2, rel=0.1)


@pytest.mark.parametrize("idle_s", [0.0, 5.0, 500.0], ids=["new", "idle", "long idle"])
def test_a_short_connection_is_held_as_often_as_any(idle_s: float) -> None:
    """What is sent first, or after silence, meets a stall as often as stalls take of the time: one in five."""
    held = 0
    for _ in range(CONNECTIONS):
        clock = StallClock()
        if idle_s:
            clock.passes_at(0.0, [LOSSY])
        held += _held_for_s(clock, idle_s, LOSSY) > 0
    assert held / CONNECTIONS == pytest.approx(0.2, rel=0.15)


def test_what_is_sent_in_a_stall_passes_at_its_end() -> None:
    """Everything behind a lost segment waits for the same retransmission."""
    clock, at_s = StallClock(), 0.0
    while not _held_for_s(clock, at_s, LOSSY):
        at_s += 0.001
    end_s = clock.passes_at(at_s, [LOSSY])
    later_s = (at_s + end_s) / 2
    assert clock.passes_at(later_s, [LOSSY]) == end_s


def test_two_rules_stall_apart_and_one_taken_away_leaves_the_other() -> None:
    """Two equal ones hold more than one does; without the one the other holds as before; without both nothing is held."""
    twin = Stall("twin", LOSSY.every_s, LOSSY.for_s)
    clock = StallClock()

    def share(first_s: int, *stalls: Stall) -> float:
        held = [_held_for_s(clock, first_s + ms / 1000, *stalls) > 0 for ms in range(400_000)]
        return sum(held) / len(held)

    assert share(0, LOSSY, twin) == pytest.approx(0.36, rel=0.15)
    assert share(1000, twin) == pytest.approx(0.2, rel=0.15)
    assert share(2000) == 0
