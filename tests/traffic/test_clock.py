"""A worker's clock: wherever its own stands and however the network delays, it is right within what it says."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traffic.clock import DRIFT, NS, SKEW_VARIABLE, SLEW, HarnessClock, own_clock

MOST = DRIFT * (1 - DRIFT)
"""The limit counts in seconds of the worker's own clock, which may be the slower."""


class World:
    """Time passes only as a test says: `true_ns` is the harness's clock, `own_ns` the worker's, skewed and drifting."""

    def __init__(self, offset_ns: int, drift: float, seed: int) -> None:
        self.true_ns = 0
        self._offset_ns = offset_ns
        self._drift = drift
        self._chance = random.Random(seed)
        self.clock = HarnessClock(self.own_ns)

    def own_ns(self) -> int:
        """What the worker's own clock shows."""
        return self.true_ns + self._offset_ns + int(self.true_ns * self._drift)

    def exchange(self, jitter_ns: int) -> None:
        """One exchange over a network that delays each way by chance, and by unlike amounts."""
        sent = self.own_ns()
        self.true_ns += self._chance.randrange(jitter_ns)
        received = self.true_ns
        self.true_ns += self._chance.randrange(50_000)
        answered = self.true_ns
        self.true_ns += self._chance.randrange(jitter_ns) // 7
        self.clock.exchanged(sent, received, answered, self.own_ns())

    def seconds(self, count: int, jitter_ns: int) -> Iterator[float]:
        """Each a tenth of a second later, with exchanges every second; yields the clock's error in seconds."""
        for _ in range(8):
            self.exchange(jitter_ns)
        self.clock.set()
        for tenth in range(count * 10):
            self.true_ns += NS // 10
            if tenth % 10 == 9:
                for _ in range(4):
                    self.exchange(jitter_ns)
                self.clock.steer()
            yield (self.clock.now_ns() - self.true_ns) / NS


@given(
    st.integers(-(10**17), 10**17),
    st.floats(-MOST, MOST),
    st.integers(2, 200_000_000),
    st.integers(0, 2**32),
)
def test_the_error_is_within_what_the_clock_says(offset_ns: int, drift: float, jitter_ns: int, seed: int) -> None:
    """Whatever the offset, a drift within the limit and lopsided delays: the truth lies within the stated bound."""
    world = World(offset_ns, drift, seed)
    for error_s in world.seconds(20, jitter_ns):
        assert abs(error_s) <= world.clock.uncertainty_s() + 1e-9


def test_the_bound_is_tight_where_some_exchange_is_quick() -> None:
    """With round trips of a millisecond at most, a clock an hour off and 100 ppm fast is known to half of that."""
    world = World(3600 * NS, 100e-6, seed=3)
    errors = [(abs(e), world.clock.uncertainty_s()) for e in world.seconds(60, 1_000_000)]
    assert max(bound for _, bound in errors) < 0.0015
    assert max(error for error, _ in errors) < 0.001


@given(st.floats(-MOST, MOST), st.integers(2, 50_000_000), st.integers(0, 2**32))
def test_the_clock_never_goes_backwards(drift: float, jitter_ns: int, seed: int) -> None:
    """It is mended by running a little fast or slow, never by a step."""
    world = World(0, drift, seed)
    times = [world.true_ns + round(e * NS) for e in world.seconds(10, jitter_ns)]
    for before, after in itertools.pairwise(times):
        passed = after - before
        assert passed > 0
        assert passed >= 0.1 * NS * (1 - SLEW) * (1 - DRIFT) - 2


def test_a_clock_that_jumps_says_how_wrong_it_is() -> None:
    """A worker's machine that slept a second is not believed: the bound covers the second until it is mended."""
    world = World(0, 0.0, seed=1)
    list(world.seconds(3, 1_000_000))
    world._offset_ns -= NS
    for _ in range(4):
        world.exchange(1_000_000)
    world.clock.steer()
    error_s = (world.clock.now_ns() - world.true_ns) / NS
    assert error_s == pytest.approx(-1.0, abs=0.01)
    assert abs(error_s) <= world.clock.uncertainty_s() < 1.01


def test_before_any_exchange_nothing_is_known() -> None:
    """No exchange, no bound; and such a clock is not set."""
    clock = HarnessClock(lambda: 0)
    assert clock.uncertainty_s() == math.inf
    with pytest.raises(RuntimeError, match="no exchange"):
        clock.set()


def test_a_skew_shifts_only_what_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable puts this process's source off; without it the source is the machine's own."""
    plain = own_clock()
    monkeypatch.setenv(SKEW_VARIABLE, "100,0.5")
    off = own_clock()
    apart = (off() - plain()) / NS
    assert 99.99 < apart < 101
