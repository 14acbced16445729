"""Pace has one place: what is divided there is what a report says was faster."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra_fixtures.pace import NOT_PACED, Timer, paced, sentence

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("drill", "traffic", "infra_fixtures", "probes", "reports", "gameday", "scenarios", "benchmarks")
PACE = ROOT / "infra_fixtures" / "pace.py"


def trees() -> Iterator[tuple[Path, ast.Module]]:
    """Every module of the harness but pace.py itself."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path != PACE:
                yield path.relative_to(ROOT), ast.parse(path.read_bytes())


def divisions_by_pace(tree: ast.AST) -> list[int]:
    """The lines of `x / pace`, `x / self._pace`, `x // layout.pace` and `x /= pace`."""
    found = []
    for node in ast.walk(tree):
        match node:
            case (
                ast.BinOp(op=ast.Div() | ast.FloorDiv(), right=divisor)
                | ast.AugAssign(op=ast.Div() | ast.FloorDiv(), value=divisor)
            ):
                name = getattr(divisor, "id", None) or getattr(divisor, "attr", None)
                if name in {"pace", "_pace"}:
                    found.append(node.lineno)
            case _:
                pass
    return found


def test_nothing_else_divides_by_a_pace() -> None:
    """A timer that is paced elsewhere would be missing from the report."""
    assert [f"{path}:{line}" for path, tree in trees() for line in divisions_by_pace(tree)] == []


@pytest.mark.parametrize("code", ["x / pace", "x / self._pace", "x // world.layout.pace", "x /= pace", "x /= s._pace"])
def test_a_division_by_a_pace_is_seen(code: str) -> None:
    """The scan finds every form that was ever used."""
    assert divisions_by_pace(ast.parse(code)) == [1]


def test_every_timer_is_in_use() -> None:
    """What a report calls faster is: each timer is named by code that waits for it."""
    used = {
        node.attr
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Timer"
    }
    assert used == {timer.name for timer in Timer}


def test_a_timer_is_divided_down_to_its_floor() -> None:
    """A setting by the pace, a constant without its length given, a floor that never lengthens what is shorter."""
    assert paced(10, Timer.HEALTH_CHECK_INTERVAL, 30) == 3
    assert paced(10, Timer.METRIC_MINUTE) == 6
    assert paced(2, Timer.HEALTH_CHECK_CONNECT) == 2
    assert paced(10, Timer.HEALTH_CHECK_RESPONSE) == 0.5
    assert paced(100, Timer.DNS_TTL, 60) == 1
    assert paced(100, Timer.DNS_TTL, 0) == 0
    with pytest.raises(ValueError, match="ALARM_PERIOD"):
        paced(10, Timer.ALARM_PERIOD)


@pytest.mark.parametrize("timer", Timer)
def test_pace_1_is_aws_itself(timer: Timer) -> None:
    """No timer is touched, whatever its floor."""
    for length_s in (0.0, 0.3, 1.0, 60.0, timer.aws_s or 5.0):
        assert paced(1, timer, length_s) == length_s


def test_the_sentence_names_what_was_faster_and_what_was_not() -> None:
    """Each timer with its owner and its floor, and what took its real time."""
    told = sentence(10) or ""
    faster, _, unpaced = told.partition("These did not: ")
    assert "These ran 10 times faster than on AWS: Route 53 (health check intervals, " in faster
    assert "health check time-outs of at least 0.5 s, DNS TTLs of at least 1 s)" in faster
    assert all(timer.owner in faster and timer.what in faster for timer in Timer)
    assert unpaced.split(", ") == list(NOT_PACED)
    for slow in ("promotion", "cold starts", "API Gateway's throttle", "TCP time-outs", "clients' time-outs"):
        assert slow in unpaced
    assert "2.5 times" in (sentence(2.5) or "")


def test_at_pace_1_nothing_is_said_to_be_faster() -> None:
    """There is nothing to say."""
    assert sentence(1) is None
