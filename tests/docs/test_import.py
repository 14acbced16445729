"""The examples of docs/import.md, each run on a file that the tool wrote, as the page says it."""

from __future__ import annotations

import gzip
import json
import shlex
from pathlib import Path

import polars as pl
import pytest

from drill.__main__ import main
from tests.docs.pages import blocks
from tests.drill.imports.judged import DATA, Truth

LINES = [line for block in blocks("sh", "import.md") for line in block.text.splitlines()]
FILES = {
    "k6.json": "k6-open.json",
    "k6.csv": "k6-open-nano.csv",
    "jmeter.csv": "jmeter.csv",
    "locust.csv": "locust.csv",
    "vegeta.json": "vegeta.json",
    "simulation.log": "gatling.log",
    "table.csv": "vegeta.csv",
}
OBJECTIVES = "[default]\nrto_s = 30.0\ndeadline_s = 1.0\nwindow_s = 1.0\nsettle_s = 2.0\n"


def test_the_page_has_examples_of_every_tool() -> None:
    """And one of judging."""
    assert {shlex.split(line)[4] for line in LINES if " import " in line} == set(FILES)
    assert [line for line in LINES if " judge " in line]


@pytest.mark.parametrize("line", [line for line in LINES if " import " in line])
def test_an_example_is_judged_to_the_truth(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the time of the fault that the file was made with in place of the page's."""
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line)[3:]
    name = FILES[words[1]]
    if words[1] == "table.csv":
        _as_table(DATA / f"{name}.gz", tmp_path / "table.csv")
    else:
        (tmp_path / words[1]).write_bytes(gzip.decompress((DATA / f"{name}.gz").read_bytes()))
    truth = Truth.of(name)
    words[words.index("--fault-at") + 1] = f"{truth.down_ms[0] / 1e3:.3f}"
    (tmp_path / "objectives.toml").write_text(OBJECTIVES)
    assert main(words) == 0
    judge = next(shlex.split(line)[3:] for line in LINES if " judge " in line)
    capsys.readouterr()
    judge[1] = words[words.index("-o") + 1]
    assert main([*judge, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    rto = (said[0] if isinstance(said, list) else said)["measurements"]["rto_s"]
    assert rto["lower"] <= truth.rto_s[1]
    assert truth.rto_s[0] <= rto["upper"]


def _as_table(source: Path, target: Path) -> None:
    """vegeta's CSV has no header, and nanoseconds."""
    hits = pl.read_csv(gzip.decompress(source.read_bytes()), has_header=False)
    hits.select(
        start=pl.col("column_0") // 10**6,
        finish=(pl.col("column_0") + pl.col("column_2")) // 10**6,
        code=pl.col("column_1"),
    ).write_csv(target)
