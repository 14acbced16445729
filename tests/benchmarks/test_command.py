"""The command that runs the benchmarks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import benchmarks
from benchmarks.measuring.command import discovered, main

SCRIPTS = {
    "aaa_works": '''"""Measures two."""
from benchmarks.measuring.figure import Figure
def measure():
    yield Figure.of("two", [3.0, 1.0, 2.0], "s", "thrice")
''',
    "bbb_breaks": '''"""Breaks after a figure."""
from benchmarks.measuring.figure import Failed, Figure
def measure():
    yield Figure("one", 1.0, "s")
    raise Failed("it is not as it must be")
''',
    "ccc_lacks": '''"""Lacks a tool."""
from benchmarks.measuring.figure import Skipped
def measure():
    raise Skipped("no such tool here")
    yield
''',
    "ddd_crashes": '''"""Cannot even be imported."""
import nothing_of_that_name
''',
}


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Four more benchmarks, found as all are: by the folder they lie in."""
    for name, source in SCRIPTS.items():
        (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.setattr(benchmarks, "__path__", [*benchmarks.__path__, str(tmp_path)])
    return list(SCRIPTS)


def test_one_that_fails_makes_the_status_1_and_the_others_run(
    scripts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figures, reasons and medians of all of them are told, on the terminal and as JSON."""
    out = tmp_path / "figures.json"
    assert main(["--only", *reversed(scripts), "--json", str(out)]) == 1
    said = capsys.readouterr().out
    assert "bbb_breaks FAILED: it is not as it must be" in said
    assert "ddd_crashes FAILED: ModuleNotFoundError: No module named 'nothing_of_that_name'" in said
    assert "ccc_lacks skipped: no such tool here" in said
    reports = {r["benchmark"]: r for r in json.loads(out.read_text())["benchmarks"]}
    two = reports["aaa_works"]["figures"][0]
    assert (two["value"], two["low"], two["high"], two["unit"], two["note"]) == (2.0, 1.0, 3.0, "s", "thrice")
    assert reports["bbb_breaks"]["figures"][0]["value"] == 1.0
    assert reports["bbb_breaks"]["failed"] == "it is not as it must be"


def test_one_that_cannot_run_here_is_no_failure(scripts: list[str]) -> None:
    """A missing tool skips its benchmark alone."""
    assert main(["--only", "aaa_works", "ccc_lacks"]) == 0


def test_every_benchmark_is_listed_with_what_it_measures(capsys: pytest.CaptureFixture[str]) -> None:
    """The first line of each docstring is shown, and nothing is run."""
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == discovered()
    assert {"links", "dns", "load_generator", "judging", "stand_up", "independent_check"} <= set(discovered())
    assert all(len(line.partition(": ")[2]) > 10 for line in lines)


def test_unusable_options_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt name is told its neighbour, and so is a folder that is not there."""
    assert main(["--only", "link"]) == 2
    assert capsys.readouterr().err == "error: there is no benchmark link; did you mean links?\n"
    assert main(["--only", "links", "--json", str(tmp_path / "no" / "x.json")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
