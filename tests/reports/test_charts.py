"""Pictures: what is drawn is what was recorded, labels never lie over each other, absent proofs are said."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drill.history import NS, History, Mark, Op, Outcome
from reports.charts.buckets import bucket
from reports.charts.lanes import few, gather, pack
from reports.charts.lost_seconds import waterfall
from reports.charts.timeline import timeline
from reports.figure import Figure
from reports.record import Phase
from tests.reports.outage import GAMEDAY, history


def _op(key: int, at_s: float, took_s: float = 0.01, **said: object) -> Op:
    at = round(at_s * NS)
    values: dict[str, object] = {"op": "write", "outcome": Outcome.OK, "region": "us-east-1"} | said
    return Op(key=key, cohort="follower", intended_ns=at, began_ns=at, ended_ns=at + round(took_s * NS), **values)  # type: ignore[arg-type]


def test_buckets_hold_every_request_once() -> None:
    """The areas of the picture add up to the requests made, an order with a receipt counting once."""
    whole = history(GAMEDAY[0])
    assert whole.ops is not None
    found = bucket(whole.ops, 1.0)
    assert found is not None
    area = sum(float((series * np.diff(found.edges_s)).sum()) for series in found.per_second.values())
    assert area == pytest.approx(whole.ops.filter(whole.ops["op"] != "put_object").height)
    total = sum(found.per_second.values())
    assert np.allclose(total, 200, atol=1), "an open loop drives the same rate all the time"
    assert set(found.per_second) == {"good us-east-1", "good us-west-2", "failed", "unknown"}


def test_a_request_is_as_good_as_its_worst_effect_and_late_is_not_good() -> None:
    """A stored order whose receipt is in doubt is in doubt; an answer after the deadline is late."""
    ops = History.of(
        ops=[
            _op(1, 0.0),
            _op(1, 0.0, op="put_object", outcome=Outcome.UNKNOWN, region=None),
            _op(2, 0.1, took_s=1.5),
            _op(3, 0.2, outcome=Outcome.FAIL, region=None),
            _op(4, 0.3, region=None),
        ]
    ).ops
    assert ops is not None
    found = bucket(ops, deadline_s=1.0)
    assert found is not None
    counted = {k: round(float((v * np.diff(found.edges_s)).sum())) for k, v in found.per_second.items()}
    assert counted == {"unknown": 1, "late": 1, "failed": 1, "good ?": 1}


def test_one_poll_every_five_seconds_is_drawn_too() -> None:
    """A slow poller still gives a picture of several steps, and no request is lost at the edges."""
    ops = History.of(ops=[_op(i, i * 5.0) for i in range(60)]).ops
    assert ops is not None
    found = bucket(ops)
    assert found is not None
    assert 20 <= len(found.p50_s) <= 60
    assert float((found.per_second["good us-east-1"] * np.diff(found.edges_s)).sum()) == pytest.approx(60)
    assert bucket(ops.clear()) is None


@given(st.lists(st.tuples(st.floats(-10, 20), st.text("abcdef. ", min_size=1, max_size=40)), max_size=25, unique=True))
def test_no_label_lies_over_another_nor_under_a_leader(told: list[tuple[float, str]]) -> None:
    """Whatever the marks, two labels of one row never overlap; all of them are there."""
    labels = pack(told, -10.0, 20.0, 120)
    assert sorted((x.at_s, x.text) for x in labels) == sorted(told)
    width = 30.0 / 120

    def span(i: int) -> tuple[float, float]:
        wide = (len(labels[i].text) + 2) * width
        return (labels[i].at_s - wide, labels[i].at_s) if labels[i].left else (labels[i].at_s, labels[i].at_s + wide)

    for i in range(len(labels)):
        for j in range(i):
            if labels[i].row == labels[j].row:
                assert not (span(i)[0] < span(j)[1] and span(j)[0] < span(i)[1])


def test_the_same_mark_seen_by_many_is_told_once() -> None:
    """Sixteen checkers that agree within a moment are one label; the same event later is another."""
    many = [Mark(i * 10_000_000, "health_check.unhealthy", "us-east-1") for i in range(16)]
    later = Mark(9 * NS, "health_check.unhealthy", "us-east-1")
    told = gather([*many, later, Mark(0, "drill.baseline")], 0.0, 20.0)
    assert [text for _, text in told] == ["health_check.unhealthy us-east-1 ×16", "health_check.unhealthy us-east-1"]


def test_a_flapping_drill_keeps_the_first_of_each_event() -> None:
    """Hundreds of marks leave a picture that can be read, and it says how many it left out."""
    told = [(float(i), f"dns.answer {i % 2}") for i in range(300)] + [(299.5, "promotion.end us-west-2")]
    kept, left_out = few(told, 18)
    assert len(kept) == 18
    assert left_out == 283
    assert (299.5, "promotion.end us-west-2") in kept
    assert few(told[:3], 18) == (told[:3], 0)


def test_a_timeline_is_drawn_the_same_from_the_same_records(tmp_path: Path) -> None:
    """PNG and SVG hold marks, regions and the RTO, and a second drawing gives the same bytes."""
    drawn = [
        timeline(history(GAMEDAY[0]), tmp_path / n, title="Lost", verdict="MET", deadline_s=1.0, recovered_s=8.42)
        for n in "ab"
    ]
    png, svg = drawn[0]
    assert png.read_bytes().startswith(b"\x89PNG")
    assert len(png.read_bytes()) > 20_000
    text = svg.read_text()
    for words in ("fault.effective us-east-1", "good, served by us-west-2", "RTO 8.42 s", "promotion.begin us-west-2"):
        assert words in text
    assert svg.read_bytes() == drawn[1][1].read_bytes()
    assert png.read_bytes() == drawn[1][0].read_bytes()


def test_absent_proofs_are_said_in_their_place(tmp_path: Path) -> None:
    """Nothing recorded gives a picture that says so, not a crash and not an empty frame."""
    _, svg = timeline(History(), tmp_path / "none", title="Nothing")
    assert "no request was recorded" in svg.read_text()
    assert "no heartbeat was read" in svg.read_text()


def test_a_waterfall_shows_missing_phases_as_missing(tmp_path: Path) -> None:
    """A phase without a mark is named with its reason; a recovery that never came has no RTO line."""
    phases = (
        Phase("health check unhealthy", 0.0, 3.0),
        Phase("promotion ends", 3.0, None, "no mark of it"),
        Phase("sustained", 3.0, None, "never recovered"),
    )
    never = Figure(math.inf, 60.0, math.inf, "s", 15.0, "MISSED")
    _, svg = waterfall(phases, tmp_path / "w", title="Lost", rto=never, verdict="MISSED")
    text = svg.read_text()
    assert "missing: no mark of it" in text
    assert "missing: never recovered" in text
    assert "3.00 s" in text
    assert "RTO" not in text
    _, empty = waterfall((), tmp_path / "e", title="Lost", rto=Figure())
    assert "no phase was recorded" in empty.read_text()
