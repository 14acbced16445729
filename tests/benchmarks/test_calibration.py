"""The calibration in small: a few scripted truths by the real path, and that it fails where a figure is wrong."""

from __future__ import annotations

import dataclasses

import polars as pl
import pytest

from benchmarks.calibrating.comparison import compare
from benchmarks.calibrating.script import How, Script, scripts
from benchmarks.calibrating.stage import play
from drill.history import History
from infra_fixtures.run_layout import RunLayout

SCRIPTS = (
    Script("turned away, with losses", How.TURNED_AWAY, ((0.7, 1.0123),), loses_s=0.2, loses_objects_s=0.3),
    Script("dns late", How.GONE, ((0.7051, 0.7051),), dns_s=0.85),
    Script("flapping", How.ERROR, ((0.7, 0.9), (1.5, 1.7377))),
    Script("half of it", How.RESET, ((0.7, 1.2),), share=0.5),
)

LATER_NS = 300_000_000
"""Beyond any bracket here: the widest part is asked for every 50 ms."""


@pytest.mark.slow
def test_every_figure_is_as_scripted(layout: RunLayout) -> None:
    """RTO to 1.5 arrival intervals, brackets that cover, counts that are exact; and a wrong truth is told as wrong."""
    played = list(play(layout, SCRIPTS, seed=3))
    found = [compare(history, truth) for history, truth in played]
    assert [(f.name, f.wrong) for f in found] == [(s.name, ()) for s in SCRIPTS]
    assert found[0].lost > 20

    history, truth = played[0]
    assert truth.back is not None
    later = dataclasses.replace(truth, back=(truth.back[0] + LATER_NS, truth.back[1] + LATER_NS))
    said = "; ".join(compare(history, later).wrong)
    assert "rto_s is off by -" in said
    assert "rto_s [" in said
    assert "an RTO longer than its objective passes" in said

    assert history.survivors is not None
    poorer = History(history.ops, history.marks, history.samples, history.survivors.slice(1))
    assert any(w.startswith("lost_writes is") for w in compare(poorer, truth).wrong)
    richer = pl.concat([history.survivors, history.survivors.head(1)])
    twice = History(history.ops, history.marks, history.samples, richer)
    assert any(w.startswith("duplicates is 1, ") for w in compare(twice, truth).wrong)


def test_there_are_enough_truths_of_every_kind() -> None:
    """At least fifty that must be told to an arrival interval, every way to fail among them, the same for one seed."""
    whole = scripts(1)
    assert sum(s.sharp for s in whole) >= 50
    assert {s.how for s in whole} == set(How)
    assert whole == scripts(1) != scripts(2)
    assert max(s.lasts_s for s in whole) < 5
    assert sum(s.lasts_s for s in whole) / 2 < 150
