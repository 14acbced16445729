"""What a plan says must have happened: shown by the records, or the drill proves nothing."""

from __future__ import annotations

import polars as pl
import pytest

from drill.demands import EVENT, Demand, moved_to, stayed_at
from drill.evidence import judge
from drill.history import NS, History, Mark
from drill.objective import Verdict
from tests.drill.scripted import LIMITS, PRIMARY, STANDBY, altered, history, without

PROMOTED = Mark(10 * NS, "promotion.end", "dr-drill", f"arn:aws:rds:{STANDBY}:123456789012:cluster:orders")


def demanding(*demands: Demand, whole: History | None = None, promoted: bool = True) -> History:
    """The plain history with these demands; its standby is promoted, and the mark says which one that was."""
    bare = without(whole or history(), "promotion.end")
    more = (*(Mark(0, EVENT, d.what, d.region) for d in demands), *((PROMOTED,) if promoted else ()))
    return altered(bare, marks=(*(bare.marks or ()), *more))


def planned(whole: History) -> History:
    """The same, of a drill whose fault need not be felt."""
    bare = without(whole, "drill.expects")
    return altered(bare, marks=(*(bare.marks or ()), Mark(0, "drill.expects", "planned_switchover", "no-bite")))


def served_by(whole: History, region: str) -> History:
    """The history as if that region had served everything."""
    assert whole.ops is not None
    return altered(whole, ops=whole.ops.with_columns(region=pl.lit(region)))


def test_a_failover_that_was_seen_is_met() -> None:
    """The standby was promoted and acknowledges writes."""
    assert judge(demanding(*moved_to(STANDBY)), LIMITS).verdict is Verdict.MET


def test_a_region_that_went_on_serving_is_met() -> None:
    """Nothing was promoted, the primary recovered by itself."""
    stayed = served_by(without(demanding(*stayed_at(PRIMARY), promoted=False), "promotion.begin"), PRIMARY)
    assert judge(stayed, LIMITS).verdict is Verdict.MET


@pytest.mark.parametrize(
    ("unshown", "said"),
    [
        (demanding(*moved_to(STANDBY), promoted=False), f"no promotion of {STANDBY}"),
        (demanding(*moved_to("eu-west-1")), "eu-west-1 was to serve"),
        (served_by(demanding(*moved_to(STANDBY)), PRIMARY), f"{PRIMARY} served the last acknowledged writes"),
        (demanding(*stayed_at(PRIMARY), promoted=False), f"although {PRIMARY} was to go on serving"),
        (served_by(demanding(*stayed_at(PRIMARY)), PRIMARY), "promoted although nothing was to move"),
        (demanding(Demand("a miracle", "in Cana")), "which nobody here can judge"),
    ],
)
def test_what_was_not_shown_is_unproven(unshown: History, said: str) -> None:
    """Not promoted, another region than named, moved although it must not: the sentence says which."""
    found = judge(unshown, LIMITS)
    assert found.verdict is Verdict.UNPROVEN
    assert said in found.sentence()


def test_a_switchover_that_did_nothing_is_unproven() -> None:
    """Nobody felt it, nothing was promoted, the same region serves: recovery at once proves nothing."""
    idle = planned(served_by(without(history(down_s=0.0), "promotion.begin", "promotion.end"), PRIMARY))
    found = judge(idle, LIMITS)
    assert found.measurements["rto_s"].value == 0.0
    assert found.verdict is Verdict.UNPROVEN
    assert "went on serving" in found.sentence()


def test_a_switchover_that_nobody_felt_but_everybody_followed_is_met() -> None:
    """Without any demand of its own a fault that need not have an impact must have moved service, and did."""
    assert judge(planned(demanding(whole=history(down_s=0.0))), LIMITS).verdict is Verdict.MET


def test_writes_that_name_no_region_show_no_move() -> None:
    """Absence is no evidence: who served is not known."""
    whole = demanding(*moved_to(STANDBY))
    assert whole.ops is not None
    found = judge(altered(whole, ops=whole.ops.with_columns(region=pl.lit(None, pl.String))), LIMITS)
    assert found.verdict is Verdict.UNPROVEN
    assert "say not which region served them" in found.sentence()
