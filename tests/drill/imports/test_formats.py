"""Files that prove nothing, or are not whole, are refused in one sentence that says where and how to mend it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from drill.__main__ import main
from drill.imports.formats import form_of
from drill.imports.imported import Options
from drill.unusable import UnusableInput
from reports.limitations import not_proven
from reports.record import load_run
from tests.drill.imports.judged import DATA, Truth, imported
from tests.drill.imports.make_data import cases

FORMS = {
    "k6-open.json": "k6-json",
    "k6-closed.json": "k6-json",
    "k6-blackhole.json": "k6-json",
    "k6-starved.json": "k6-json",
    "k6-open-seconds.csv": "k6-csv",
    "k6-open-nano.csv": "k6-csv",
    "locust.csv": "locust",
    "jmeter.csv": "jmeter-csv",
    "jmeter.xml": "jmeter-xml",
    "vegeta.json": "vegeta-json",
    "vegeta.csv": "vegeta-csv",
    "gatling.log": "gatling",
}


@pytest.mark.parametrize("name", tuple(cases(0)))
def test_a_file_tells_its_tool(name: str, tmp_path: Path) -> None:
    """Packed or not."""
    assert form_of(DATA / f"{name}.gz", "auto", Options()) == FORMS[name]
    plain = tmp_path / "plain"
    plain.write_bytes(gzip.decompress((DATA / f"{name}.gz").read_bytes()))
    assert form_of(plain, FORMS[name].partition("-")[0], Options()) == FORMS[name]


def test_locusts_statistics_are_refused() -> None:
    """They hold no single request."""
    with pytest.raises(UnusableInput, match=r"_stats_history.csv, which holds counts .*csv_request_logger"):
        imported(DATA / "locust-stats_stats_history.csv.gz")


def test_vegetas_binary_is_refused_with_the_way_out() -> None:
    """Its own command makes text of it."""
    with pytest.raises(UnusableInput, match="vegeta encode --to json"):
        imported(DATA / "vegeta-results.bin.gz")


def test_gatlings_binary_log_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """As its RunMessageSerializer begins one: the header 0, then each text with its length before and its coder behind it."""

    def text(word: str) -> bytes:
        return len(word).to_bytes(4, "big") + word.encode() + b"\x00"

    log = tmp_path / "simulation.log"
    log.write_bytes(b"\x00" + text("3.13.5") + text("shop.Orders") + (1_795_000_000_000).to_bytes(8, "big"))
    with pytest.raises(UnusableInput, match=r"binary simulation.log of Gatling 3\.13\.5.*Gatling 3\.12"):
        imported(log)


def test_k6_hides_when_a_request_began_that_never_had_a_connection() -> None:
    """It writes a duration of 0 for it, which nobody may believe."""
    with pytest.raises(UnusableInput, match=r"\d+ requests timed out before they had a connection.*--timeout SECONDS"):
        imported(DATA / "k6-blackhole.json.gz")


def lines(name: str) -> list[bytes]:
    """Those of a file of the data."""
    return gzip.decompress((DATA / f"{name}.gz").read_bytes()).splitlines(keepends=True)


@pytest.mark.parametrize(
    ("name", "line", "content", "sentence"),
    [
        ("k6-open.json", 40, b"{}\n", "line 40 is no line of k6"),
        ("k6-open.json", 40, b'{"metric":"http_req_duration","type":"Point","data":{}}\n', "line 40 is no sample"),
        ("k6-open-nano.csv", 9, b"http_req_duration,1795\n", "line 9 has 2 fields"),
        ("k6-open-nano.csv", 9, b"http_req_duration,x,1" + b"," * 16 + b"\n", "line 9 has the time 'x', which is none"),
        ("locust.csv", 5, b"yesterday,GET,/,1.0,2,200,\n", "line 5 has a time"),
        ("locust.csv", 5, b'1,GET,/,"\n', "is not CSV"),
        ("jmeter.csv", 7, b"1,2\n", "line 7 has 2 fields"),
        ("jmeter.xml", 7, b"<&>\n", "line 7 is not XML"),
        ("jmeter.xml", 7, b'<httpSample t="1"/>\n', "sample 2 has no time in milliseconds"),
        ("vegeta.json", 3, b'{"attack":"","seq":1}\n', "line 3 is no result of vegeta"),
        ("vegeta.csv", 3, b"1,2,3\n", "line 3 has 3 fields"),
        ("gatling.log", 12, b"REQUEST\t\tGET\t1\t2\tOK\t \n", "line 12 has no start"),
        ("gatling.log", 12, b"NOTHING\n", "line 12 is of no kind"),
    ],
)
def test_a_broken_line_is_named(name: str, line: int, content: bytes, sentence: str, tmp_path: Path) -> None:
    """By its number in the file."""
    broken = lines(name)
    broken[line - 1] = content
    path = tmp_path / name
    path.write_bytes(b"".join(broken))
    with pytest.raises(UnusableInput, match=sentence):
        imported(path, "--timeout", "2")


@pytest.mark.parametrize("name", [n for n in FORMS if n != "jmeter.xml"])
def test_a_file_that_was_cut_off_is_refused(name: str, tmp_path: Path) -> None:
    """What the tool had not written yet is unknown, and so is the rest of its last line."""
    path = tmp_path / name
    path.write_bytes(b"".join(lines(name))[:-9])
    with pytest.raises(UnusableInput, match=rf"line {len(lines(name))} has no end: the file was cut off"):
        imported(path, "--timeout", "2")


def test_what_no_tool_wrote_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the command line: one line, status 2, no directory."""
    path = tmp_path / "notes.txt"
    path.write_text("all was well\n")
    assert main(["import", str(path), "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"error: {path} is no result that is known here (k6, Locust, JMeter, vegeta, Gatling, ops.parquet): see docs/import.md"
    ]
    assert not (tmp_path / "out").exists()


def test_the_command_writes_what_judge_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And never over records that are there."""
    out = tmp_path / "out"
    name = DATA / "vegeta.json.gz"
    assert main(["import", str(name), "-o", str(out), "--only-rto"]) == 0
    assert "no fault is told, so nothing can be proved" in capsys.readouterr().out
    assert sorted(p.name for p in out.iterdir()) == ["import.json", "marks.jsonl", "ops.parquet", "samples.parquet"]
    assert main(["import", str(name), "-o", str(out)]) == 2
    assert "holds records already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--fault-at", "yesterday"), "no point in time"),
        (("--fault-at", "2026-11-27T10:00:00"), "no point in time"),
        (("--fault-at", "2020-01-01T10:00:00Z"), "is not within the load"),
        (("--fault-by", "2020-01-01T10:00:00Z"), "without fault.begin"),
        (("--mark", "fault.begun=2020-01-01T10:00:00Z"), "did you mean fault.begin"),
        (("--mark", "fault.begin"), "give EVENT=TIME"),
        (("--only", "("), "no regular expression"),
        (("--only", "nowhere"), "holds no request"),
        (("--clock-error", "nan"), "give seconds"),
        (("--format", "k6"), "is a file of vegeta-json, not of k6"),
        (("--column", "start=x"), "give ROLE=NAME"),
        (("--fault-event", "StopDBCluster"), "give it with --cloudtrail"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: tuple[str, ...], sentence: str) -> None:
    """In one sentence."""
    with pytest.raises(UnusableInput, match=sentence):
        imported(DATA / "vegeta.json.gz", *words)


def test_a_jmeter_file_without_its_header_is_refused(tmp_path: Path) -> None:
    """As JMeter 2 writes it by default: its columns depend on properties that the file does not hold."""
    path = tmp_path / "jmeter.csv"
    path.write_bytes(b"".join(lines("jmeter.csv")[1:]))
    with pytest.raises(UnusableInput, match=r"has no header line.*print_field_names=true"):
        imported(path)


def test_an_import_can_be_signed_as_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the verdict that `judge` reaches again, and with what it does not prove."""
    objectives = tmp_path / "objectives.toml"
    objectives.write_text("[default]\nrto_s = 10.0\ndeadline_s = 1.0\nwindow_s = 1.0\nsettle_s = 2.0\n")
    out, truth = tmp_path / "run", Truth.of("vegeta.json")
    words = ["import", str(DATA / "vegeta.json.gz"), "-o", str(out), *truth.marks, "--only-rto"]
    assert main([*words, "--objectives", str(objectives), "--scenario", "region_lost"]) == 0
    assert "python -m reports build" in capsys.readouterr().out
    said = json.loads((out / "scenarios" / "region_lost" / "verdict.json").read_text())
    assert (said["verdict"], said["scenario"], said["target"]) == ("MET", "region_lost", "imported")
    assert main(["judge", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [said]
    run = load_run(out)
    assert run.verdict == "MET"
    assert any("nothing else was judged" in sentence for sentence in not_proven(run))
    assert main([*words, "--objectives", str(objectives)]) == 2
    assert "holds a run already" in capsys.readouterr().err


def test_times_of_the_ends_are_refused(tmp_path: Path) -> None:
    """JMeter can be told to write when samples ended: a request that hung would seem to have begun late."""
    rows = [line.split(b",") for line in lines("jmeter.csv")]
    for row in rows[1:]:
        row[0] = str(int(row[0]) + int(row[1])).encode()
    path = tmp_path / "jmeter.csv"
    path.write_bytes(b"".join(b",".join(row) for row in rows))
    with pytest.raises(UnusableInput, match=r"line \d+ begins before .* has ended.*sampleresult.timestamp.start=true"):
        imported(path)
