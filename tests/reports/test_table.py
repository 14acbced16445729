"""The verdict table: every figure legible at 80 and 100 columns, without colour, and honest about its limits."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from reports.record import Run, load_run
from reports.table import print_verdicts
from tests.reports.outage import GAMEDAY, write_run


def _printed(run: Run, width: int) -> str:
    out = io.StringIO()
    print_verdicts(run, Console(file=out, width=width, no_color=True))
    return out.getvalue()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A game day of six scenarios."""
    return load_run(write_run(tmp_path_factory.mktemp("run")))


@pytest.mark.parametrize("width", [80, 100])
def test_nothing_is_cut_off(run: Run, width: int) -> None:
    """No line is longer than the terminal, nothing is shortened to an ellipsis, no figure is missing."""
    text = _printed(run, width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    for figure in ("8.42 s", "[8.40, 8.45]", "≤ 15.0 s", "604", "2,520"):
        assert figure in text
    assert "\x1b" not in text


def test_names_are_whole_where_there_is_room_and_broken_at_an_underscore_where_not(run: Run) -> None:
    """An identifier can be copied at 100 columns and read at 80."""
    assert "replication_cut_then_region_lost MISSED" in _printed(run, 100)
    narrow = _printed(run, 80).splitlines()
    row = next(i for i, line in enumerate(narrow) if line.startswith("replication_cut_ "))
    assert narrow[row + 1].startswith("then_region_lost ")


def test_what_was_not_met_says_why_and_the_run_what_it_did_not_prove(run: Run) -> None:
    """The decisive reason, the fidelity of the parts and the pace are in every table."""
    text = " ".join(_printed(run, 100).split())
    assert "✘ MISSED replication_cut_then_region_lost: lost_writes 604 exceeds 0" in text
    assert "4 of 5 MET, 1 MISSED; harness check as intended" in text
    assert "MODEL: api gateway" in text
    assert "10 times faster" in text


def test_writes_lost_after_the_fault_stand_by_themselves(tmp_path: Path) -> None:
    """Split brain is not hidden in the sum of lost writes."""
    write_run(tmp_path, GAMEDAY[:1])
    path = tmp_path / "scenarios" / "primary_region_lost" / "verdict.json"
    said = json.loads(path.read_text())
    said["measurements"]["lost_after_fault"]["value"] = 3
    path.write_text(json.dumps(said))
    assert "+3 split" in _printed(load_run(tmp_path), 100)


def test_a_run_of_nothing_says_so(tmp_path: Path) -> None:
    """No scenario is no pass."""
    assert "no scenario was run" in _printed(load_run(write_run(tmp_path, ())), 100)
