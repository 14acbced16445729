"""What `--repeat` and `--workers` make of the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def collected(*words: str) -> subprocess.CompletedProcess[str]:
    """`pytest scenarios --collect-only` with these options."""
    command = [sys.executable, "-m", "pytest", "scenarios", "--collect-only", "-q", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_each_chosen_scenario_is_a_test_for_each_run() -> None:
    """Three runs of one scenario are three tests in their order; without --repeat the names are the plain ones."""
    told = collected("--repeat", "3", "-k", "planned_switchover")
    tests = [line for line in told.stdout.splitlines() if "::" in line]
    assert [t.partition("::")[2] for t in tests] == [f"test_planned_switchover[run-00{n}]" for n in (1, 2, 3)]
    plain = collected("-k", "planned_switchover")
    assert "::test_planned_switchover\n" in plain.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--repeat", "0"), "--repeat 0 is no number of at least 1"),
        (("--repeat", "many"), "--repeat many is no number of at least 1"),
        (("--workers", "-1"), "--workers -1 is no number of at least 0"),
        (("--workers-elsewhere", "x"), "--workers-elsewhere x is no number"),
        (("--workers-at", "nowhere"), "--workers-at nowhere is not of the form HOST:PORT"),
        (("--workers-at", "10.0.0.1:65535"), "is not of the form HOST:PORT"),
    ],
)
def test_nonsense_is_named_in_one_sentence(words: tuple[str, str], said: str) -> None:
    """Exit status 4, as pytest has it for unusable options, and no traceback."""
    told = collected(*words)
    assert told.returncode == 4
    assert said in told.stdout + told.stderr
    assert "Traceback" not in told.stdout + told.stderr
