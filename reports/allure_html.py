"""A run's Allure report: one HTML file that opens by a double click and calls nobody, with the runs before as its history.

Allure is npm's, pinned by package-lock.json; `make report` installs it. Nothing is downloaded here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drill.host_environment import child_environment
from drill.unusable import UnusableInput
from reports.allure import CATEGORIES
from reports.allure_history import AllureHistory
from reports.record import Run, load_runs

ROOT = Path(__file__).parents[1]
SCRIPT = Path("node_modules/allure/cli.js")
GATE_NEEDS = 22
"""Node's least version for Allure's quality gate: on Node 20 Allure 3.18 calls `Iterator.toArray`, which is not there."""

TRACKER = re.compile(
    r"<script[^>]*googletagmanager[^>]*></script>|<script\b[^>]*>(?:(?!</script>).)*\bgtag\(.*?</script>", re.DOTALL
)
"""What Allure's page would tell Google whenever a report is read; ALLURE_NO_ANALYTICS leaves it in the Awesome page."""

CHARTS = ("currentStatus", "statusDynamics", "durationDynamics")
TRUNCATED = 300


class NotMade(Exception):
    """Why there is no Allure report, and how to mend that."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Allure's quality gate over a run: nothing may have failed. None = it could not be asked, `said` tells why."""

    passed: bool | None
    said: str


@dataclass(frozen=True, slots=True)
class Allure:
    """The pinned Allure, and the Node that runs it."""

    node: str
    script: Path

    @classmethod
    def installed(cls, root: Path = ROOT) -> Allure:
        """The one `make report` installed; raises NotMade where it or Node is missing."""
        node = shutil.which("node")
        if node is None:
            raise NotMade("Node is not on PATH: install Node 20 or newer and run `make report`")
        if not (root / SCRIPT).exists():
            raise NotMade("Allure is not installed: run `make report`, which installs it from package-lock.json")
        return cls(node, root / SCRIPT)

    def generate(self, run: Run) -> Path:
        """Make the run's allure-report of its allure-results and note the run in the history; the page's path.

        Runs of the same directory that were never reported are brought into the history first, oldest first.
        """
        history = AllureHistory.of(run.directory.resolve().parent)
        for earlier in load_runs(history.path.parent):
            due = earlier.started_at < run.started_at and earlier.run_id not in history.lines
            if due and _results(earlier).is_dir():
                with tempfile.TemporaryDirectory() as scratch:
                    self._generate(earlier, history, Path(scratch))
        return self._generate(run, history, run.directory / "allure-report")

    def gate(self, run: Run) -> Gate:
        """Ask Allure's quality gate about the run."""
        major = int(self._run("--version", of=self.node).stdout.strip().lstrip("v").partition(".")[0])
        if major < GATE_NEEDS:
            return Gate(None, f"Allure's quality gate was not asked: it needs Node {GATE_NEEDS}, this is Node {major}")
        done = self._run("quality-gate", "--max-failures", "0", str(_results(run).resolve()))
        if done.returncode == 0:
            return Gate(True, "Allure's quality gate: passed")
        if "rules have been failed" not in done.stdout + done.stderr:
            raise NotMade(f"Allure's quality gate ended with {done.returncode} ({_last_line(done)})")
        return Gate(False, "Allure's quality gate: failed, a scenario did not come out as it had to")

    def _generate(self, run: Run, history: AllureHistory, out: Path) -> Path:
        with tempfile.TemporaryDirectory() as scratch:
            shown = Path(scratch) / "history.jsonl"
            before = history.before(run)
            shown.write_text(before, encoding="utf-8")
            config = Path(scratch) / "allurerc.json"
            config.write_text(json.dumps(_config(run, shown, out.resolve())), encoding="utf-8")
            done = self._run("generate", "--config", str(config), str(_results(run).resolve()))
            page = out / "index.html"
            if done.returncode != 0 or not page.exists():
                raise NotMade(f"Allure ended with {done.returncode} ({_last_line(done)})")
            added = shown.read_text(encoding="utf-8")[len(before) :]
        page.write_text(TRACKER.sub("", page.read_text(encoding="utf-8")), encoding="utf-8")
        history.keep(run, added)
        return page

    def _run(self, *words: str, of: str | None = None) -> subprocess.CompletedProcess[str]:
        command = [of, *words] if of else [self.node, str(self.script), *words]
        try:
            # A scratch directory as its home: Allure would otherwise read a config that lies about.
            with tempfile.TemporaryDirectory() as empty:
                environment = child_environment(os.environ, NO_COLOR="1", HOME=empty)
                return subprocess.run(
                    command, env=environment, cwd=empty, capture_output=True, text=True, timeout=120, check=False
                )
        except (OSError, subprocess.TimeoutExpired) as e:
            raise NotMade(f"Allure could not be run ({e})") from e


def build_html(run: Run) -> str | None:
    """Make the run's allure-report where Allure is installed; else (or on failure) a sentence that says why not."""
    if not _results(run).is_dir():
        return None
    try:
        Allure.installed().generate(run)
    except (NotMade, UnusableInput) as e:
        return f"no allure-report was made: {e}"
    return None


def _results(run: Run) -> Path:
    return run.directory / "allure-results"


def _config(run: Run, history: Path, out: Path) -> dict[str, Any]:
    """Allure's configuration; one page only, so that it can be sent to somebody and read from disk.

    Pages in several files fetch their data, which browsers refuse where the page was opened from disk.
    """
    page = {
        "singleFile": True,
        "theme": "light",
        "reportLanguage": "en",
        "groupBy": ["epic"],
        "sections": ["charts"],
        "charts": [{"type": kind} for kind in CHARTS],
    }
    return {
        "name": f"DR drill {run.run_id} on {run.target} at pace {run.pace:g}",
        "output": str(out),
        "historyPath": str(history),
        "categories": {"rules": CATEGORIES},
        "plugins": {"awesome": {"options": page}},
    }


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr or done.stdout).strip().rpartition("\n")[2][:TRUNCATED]
