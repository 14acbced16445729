"""What is given to `make` reaches the commands as it is: none of it is run, split or expanded on the way."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FAKE_PYTHON = """\
#!/usr/bin/env python3
import json, os, sys
switches = sorted(name for name in os.environ if name.startswith(("PYTEST_", "PYTHON")))
print(json.dumps([sys.argv[1:], switches]))
"""
"""Stands in the virtual environment: says what it was started with."""
OPTIONS = ("TARGET", "PACE", "OBJECTIVES", "RUNS_DIR", "REPEAT", "WORKERS")
NASTY = (
    '"; touch {trap}; "',
    "'; touch {trap}; '",
    "$(touch {trap})",
    "$(shell touch {trap})",
    "$$(touch {trap})",
    "`touch {trap}`",
    "${{HOME}} $HOME $@ $< $$",
    "a b  c [x] (not y) & | > {trap}",
    "first\ntouch {trap}\n\tlast",
    "#x \\ \\n %",
    "-x --help",
    "ä – ß ☃",
)


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """A virtual environment that is up to date, in a path with a space, a quote and a dollar."""
    home = tmp_path / "it's a $HOME venv"
    (home / "bin").mkdir(parents=True)
    python = home / "bin" / "python"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    for stamp in ("run.stamp", "dev.stamp"):
        (home / stamp).touch()
    return home


def make(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run make in the repository with these words and variables."""
    return subprocess.run(
        ["make", "--no-print-directory", *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def started(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The words that Python was started with."""
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1])[0])


@pytest.mark.parametrize("form", ["command line", "environment"])
@pytest.mark.parametrize("nasty", NASTY)
def test_what_is_given_is_handed_on_as_it_is(venv: Path, tmp_path: Path, nasty: str, form: str) -> None:
    """Quotes, dollars, backticks, newlines in every variable of a game day and of a report: handed on, never run."""
    trap = tmp_path / "trap"
    value = nasty.format(trap=trap)

    def given(*names: str) -> tuple[list[str], dict[str, str]]:
        if form == "environment":
            return [], {**dict.fromkeys(names, value), "VENV": str(venv)}
        return [f"VENV={venv}", *(f"{name}={value}" for name in names)], {}

    words, environment = given(*OPTIONS, "K")
    told = started(make("gameday", *words, **environment))
    assert told[:3] == ["-m", "pytest", "scenarios"]
    assert told[3:] == [*(f"--{name.lower().replace('_', '-')}={value}" for name in OPTIONS), f"-k={value}"]

    words, environment = given("RUN", "GATE")
    told = started(make("report", "-o", "node_modules/.package-lock.json", *words, **environment))
    assert told == ["-m", "reports", "build", "--gate", "--", value]

    words, environment = given("RUNS_DIR")
    assert make("help", *words, **environment).returncode == 0
    assert not trap.exists(), "something of the value was run"


def test_what_is_not_given_has_its_default(venv: Path) -> None:
    """Without K all scenarios, without RUN the latest of RUNS_DIR, without GATE no gate."""
    told = started(make("gameday", f"VENV={venv}"))
    assert "--runs-dir=reports/runs" in told
    assert not [word for word in told if word.startswith("-k")]
    told = started(make("report", f"VENV={venv}", "RUNS_DIR=/a b/$runs"))
    assert told == ["-m", "reports", "build", "--", "/a b/$runs/latest"]


def test_switches_for_other_work_do_not_reach_a_target(venv: Path) -> None:
    """What is exported for pytest and Python elsewhere changes nothing here."""
    switches = {"PYTEST_ADDOPTS": "-k nothing", "PYTEST_PLUGINS": "x", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = make("gameday", f"VENV={venv}", **switches, PYTHONOPTIMIZE="2", PYTHONWARNINGS="error", PYTHONPATH="/else")
    assert json.loads(done.stdout)[1] == ["PYTHON"], "only make's own variable"


def test_a_python_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    """PYTHON and VENV may hold spaces and quotes; nothing is made where there is no such Python."""
    venv = tmp_path / "no 'venv' yet"
    done = make("gameday", f"VENV={venv}", f"PYTHON={tmp_path}/no; touch {tmp_path}/trap")
    assert done.returncode == 2
    assert not venv.exists()
    assert not (tmp_path / "trap").exists()


def test_clean_removes_what_is_named_and_nothing_else(tmp_path: Path) -> None:
    """`make clean` with a VENV of two words removes that directory; those words' own directories stay."""
    venv = tmp_path / "one two"
    for path in (venv, tmp_path / "one"):
        path.mkdir()
    done = make("--dry-run", "clean", f"VENV={venv}")
    assert "reports" not in done.stdout
    assert (
        subprocess.run(
            ["sh", "-c", done.stdout], cwd=tmp_path, env={"VENV": str(venv), "PATH": os.environ["PATH"]}
        ).returncode
        == 0
    )
    assert not venv.exists()
    assert (tmp_path / "one").exists()
