"""What was not seen is not proved: random histories of each such kind, and sound ones that must not suffer by it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.evidence import judge
from drill.measure import measure
from drill.objective import Verdict
from tests.drill.random_histories import LIMITS, UNPROVEN_KINDS, sound, staged

SEEDS = st.integers(0, 2**32 - 1)
SOUND = 100
"""How many sound histories are judged; about one of them is spoiled by chance, hardly ever more than three."""


@pytest.mark.parametrize("kind", UNPROVEN_KINDS)
@given(seed=SEEDS)
def test_what_was_not_seen_is_neither_met_nor_missed(kind: str, seed: int) -> None:
    """Each history of the kind is UNPROVEN, and says why."""
    found = judge(UNPROVEN_KINDS[kind](seed), LIMITS)
    assert found.verdict is Verdict.UNPROVEN, found.sentence()
    assert found.reasons


def test_sound_histories_are_met() -> None:
    """Those in which all was seen pass, but for about one in a hundred; none is missed."""
    verdicts = [judge(sound(seed)[0], LIMITS).verdict for seed in range(SOUND)]
    assert Verdict.MISSED not in verdicts
    assert verdicts.count(Verdict.UNPROVEN) <= 3


def test_staged_recoveries_are_bracketed() -> None:
    """However little of the second stage is seen, the headline's bracket holds the truth (99.5 % of these)."""
    missed = []
    for seed in range(SOUND):
        history, truth_s = staged(seed)
        rto = measure(history, LIMITS)["rto_s"]
        assert rto.lower is not None
        assert rto.upper is not None
        if not rto.lower <= truth_s <= rto.upper:
            missed.append(seed)
    assert len(missed) <= 1, missed
