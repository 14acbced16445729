"""Whatever stands where a record should, and whatever its path is made of: the right records, or one line and status 2."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import polars as pl
import pytest

from drill.__main__ import main
from drill.history import History
from drill.parquet_file import MOST_ROWS
from drill.unusable import UnusableInput
from tests.drill.scripted import history
from tests.drill.test_command import ROOT

NAMES = ["x[1]", "x[bold]", "a*b", "q?", "with space", 'quo"te', "apo'strophe", "new\nline", "{curly}", "-dash", "ü"]
OBJECTIVES = (
    "[default]\nrto_s = 30\nrpo_s = 1\nlost_writes = 0\ndeadline_s = 1\nwindow_s = 1\nsettle_s = 3\nlag_p99_s = 1\n"
)
PARTS = ["ops.parquet", "samples.parquet", "survivors.parquet", "marks.jsonl", "objectives.json"]
DEEP = b"[" * 100_000
MOST_MEMORY_KB = 200_000
MEASURED = """\
import re, sys
from drill.__main__ import main
status = main(sys.argv[1:])
print(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])
sys.exit(status)
"""
"""The command, which then says how much memory it took at most, in KB."""


def judged(*words: str | Path) -> tuple[int, str, str]:
    """`python -m drill judge` in this process: status, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main(["judge", *map(str, words)])
    return status, out.getvalue(), err.getvalue()


@pytest.fixture
def limits(tmp_path: Path) -> Path:
    """Objectives under which the scripted history is MET."""
    path = tmp_path / "limits.toml"
    path.write_text(OBJECTIVES)
    return path


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """The records of a drill that is MET."""
    history().save(tmp_path / "drill")
    return tmp_path / "drill"


@pytest.mark.parametrize("name", NAMES)
def test_a_path_is_a_path(tmp_path: Path, limits: Path, name: str) -> None:
    """A drill is judged by its own records wherever it lies, never by those of a neighbour that its name would match."""
    for neighbour in ("x1", "xb", "aab", "ab", "qq"):
        history(lost=3).save(tmp_path / name / "run" / "scenarios" / neighbour)
        history(lost=3).save(tmp_path / neighbour)
    scenario = tmp_path / name / "run" / "scenarios" / name
    history().save(scenario)
    status, said, _ = judged(scenario, "--objectives", limits)
    assert status == 0
    assert name.partition("\n")[0] in said
    history(lost=3).save(scenario)
    assert judged(scenario, "--objectives", limits)[0] == 1


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    here = os.open(path.parent, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"/proc/self/fd/{here}/{path.name}")  # a socket's path may have 107 bytes
    os.close(here)


def _endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("put", [_fifo, _socket, _endless, Path.mkdir, _loop], ids=lambda f: f.__name__.strip("_"))
@pytest.mark.parametrize("name", PARTS)
def test_what_is_no_plain_file_is_refused_and_never_waited_for(
    records: Path, limits: Path, name: str, put: Callable[[Path], None]
) -> None:
    """A FIFO, socket, device, directory or endless link in place of a record: status 2 and one line that names it."""
    (records / name).unlink(missing_ok=True)
    put(records / name)
    status, _, error = judged(records, "--objectives", limits)
    assert (status, len(error.splitlines())) == (2, 1)
    assert name in error


@pytest.mark.parametrize("put", [_fifo, _endless, Path.mkdir], ids=lambda f: f.__name__.strip("_"))
def test_objectives_that_are_no_plain_file_are_refused(
    records: Path, tmp_path: Path, put: Callable[[Path], None]
) -> None:
    """The same of the file given with --objectives."""
    put(tmp_path / "given.toml")
    status, _, error = judged(records, "--objectives", tmp_path / "given.toml")
    assert (status, len(error.splitlines())) == (2, 1)
    assert "given.toml" in error


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_named(records: Path, limits: Path) -> None:
    """Permission denied is said, with the file's name."""
    (records / "ops.parquet").chmod(0)
    status, _, error = judged(records, "--objectives", limits)
    assert status == 2
    assert "ops.parquet" in error


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("scenarios/x/marks.jsonl", DEEP),
        ("scenarios/x/marks.jsonl", b'{"at_ns":1,"event":"a","more":' + DEEP + b"]" * len(DEEP) + b"}"),
        ("scenarios/x/marks.jsonl", b'{"at_ns":1' + b"0" * 40 + b',"event":"a"}'),
        ("scenarios/x/objectives.json", DEEP),
        ("scenarios/x/objectives.json", b'{"values": {}}'),
        ("scenarios/x/verdict.json", b'{"a":' * 100_000),
        ("run.json", DEEP),
        ("run.json", b"[]"),
    ],
)
def test_text_that_no_parser_can_hold_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    """JSON nested 100,000 deep, numbers beyond 64 bits and missing keys are one line that names the file."""
    history().save(tmp_path / "scenarios" / "x")
    (tmp_path / "scenarios" / "x" / "marks.jsonl").write_bytes(b"")
    (tmp_path / name).write_bytes(content)
    status, _, error = judged(tmp_path)
    assert (status, len(error.splitlines())) == (2, 1)
    assert Path(name).name in error


def test_deep_toml_is_refused(records: Path, tmp_path: Path) -> None:
    """An objectives file that nests without end is no TOML."""
    (tmp_path / "deep.toml").write_bytes(b"a = " + DEEP)
    status, _, error = judged(records, "--objectives", tmp_path / "deep.toml")
    assert (status, "deep.toml is not TOML" in error) == (2, True)


TYPES = {
    "microseconds": ("ops.parquet", "intended_ns", pl.col("intended_ns").cast(pl.Datetime("us"))),
    "nanosecond dates": ("ops.parquet", "began_ns", pl.col("began_ns").cast(pl.Datetime("ns"))),
    "durations": ("survivors.parquet", "at_ns", pl.col("at_ns").cast(pl.Duration("ns"))),
    "seconds": ("ops.parquet", "ended_ns", pl.col("ended_ns") / 1e9),
    "32 bits of time": ("samples.parquet", "at_ns", (pl.col("at_ns") // 1000).cast(pl.Int32)),
    "half a key": ("ops.parquet", "key", pl.col("key") + 0.5),
    "no key": ("ops.parquet", "key", pl.lit(float("nan"))),
    "a key beyond 64 bits": ("survivors.parquet", "key", pl.lit(2**63 + 5, pl.UInt64)),
    "more copies than there are": ("survivors.parquet", "copies", pl.lit(2**31, pl.Int64)),
    "a status beyond 16 bits": ("ops.parquet", "status", pl.lit(70_000, pl.Int32)),
    "numbers for words": ("ops.parquet", "op", pl.lit(3)),
    "words for numbers": ("ops.parquet", "key", pl.col("key").cast(pl.String)),
    "truth for a value": ("samples.parquet", "value", pl.lit(value=True)),
    "bytes for words": ("ops.parquet", "outcome", pl.col("outcome").cast(pl.Binary)),
    "a list": ("survivors.parquet", "copies", pl.concat_list("copies", "copies")),
}


@pytest.mark.parametrize("kind", TYPES)
def test_a_column_of_another_unit_or_type_is_refused_by_name(records: Path, limits: Path, kind: str) -> None:
    """Casting would judge other times, keys and counts than those recorded."""
    name, column, changed = TYPES[kind]
    frame = pl.read_parquet(records / name)
    frame.with_columns(changed.alias(column)).write_parquet(records / name)
    status, _, error = judged(records, "--objectives", limits)
    assert (status, len(error.splitlines())) == (2, 1)
    assert f"{name}: the column {column} " in error


def test_a_column_that_is_missing_is_named(records: Path, limits: Path) -> None:
    """A record without one of its columns is not that record."""
    frame = pl.read_parquet(records / "ops.parquet")
    frame.drop("ended_ns").write_parquet(records / "ops.parquet")
    status, _, error = judged(records, "--objectives", limits)
    assert (status, "the column ended_ns is missing" in error) == (2, True)


def test_columns_that_say_the_same_in_another_type_are_read(records: Path, limits: Path) -> None:
    """Wider integers, whole floats, dictionaries of words, and nothing but nulls convert without loss."""
    ops = pl.read_parquet(records / "ops.parquet")
    whole = pl.col("key", "status").cast(pl.Float64)
    ops.with_columns(whole, pl.col("op", "cohort").cast(pl.Categorical), error=pl.lit(None)).write_parquet(
        records / "ops.parquet"
    )
    survivors = pl.read_parquet(records / "survivors.parquet")
    survivors.with_columns(pl.col("copies").cast(pl.UInt64)).write_parquet(records / "survivors.parquet")
    assert judged(records, "--objectives", limits)[0] == 0


def test_more_rows_than_fit_are_refused_before_they_are_read(records: Path, limits: Path) -> None:
    """A file of a few KB may hold one row group of a hundred million equal rows: one line, and little memory."""
    rows = 4 * MOST_ROWS
    (records / "survivors.parquet").unlink()
    equal = pl.repeat(0, rows, dtype=pl.Int64, eager=True)
    frame = pl.select(store=pl.repeat("s3", rows, dtype=pl.String), key=equal, copies=equal, at_ns=equal)
    frame.write_parquet(records / "survivors.parquet", row_group_size=rows)
    del frame, equal
    assert (records / "survivors.parquet").stat().st_size < 2**20
    words = [sys.executable, "-c", MEASURED, "judge", str(records), "--objectives", str(limits)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "survivors.parquet would take 40,000,000 rows" in done.stderr
    assert int(done.stdout) < MOST_MEMORY_KB


def test_a_scenario_moved_alone_is_not_judged_by_a_run_it_does_not_belong_to(records: Path, tmp_path: Path) -> None:
    """run.json two directories up counts only where the directory lies in that run's scenarios/."""
    (tmp_path / "run.json").write_text("not JSON")
    moved = tmp_path / "elsewhere" / "drill"
    shutil.copytree(records, moved)
    assert judged(moved)[0] == 1


@pytest.mark.parametrize("digits", [400, 5000])
def test_a_limit_of_too_many_digits_is_refused(digits: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Larger than any float, or than Python reads: one line, exit status 2."""
    history().save(tmp_path)
    (tmp_path / "limits.toml").write_text(f"[default]\nrto_s = 1{'0' * digits}\n")
    assert main(["judge", str(tmp_path), "--objectives", str(tmp_path / "limits.toml")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_footer_whose_numbers_never_end_is_refused(tmp_path: Path) -> None:
    """A megabyte of continuation bits is read once, not once for every byte."""
    path = tmp_path / "ops.parquet"
    footer = b"\x16" + b"\xff" * (1 << 20)
    path.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(UnusableInput, match=r"ops\.parquet"):
        History.load(tmp_path)
