"""What a target can never play is refused before a system stands, and what it can is not."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

import probes
from drill.unusable import UnusableInput
from gameday.foresight import require_playable
from gameday.scenario import Scenario
from infra_fixtures.safety.journal import Header
from infra_fixtures.targets import TARGETS, outlook_of
from infra_fixtures.targets.outlook import Outlook
from infra_fixtures.targets.parts import BucketPart, ControllerPart, NetworkPart
from probes.all import probe_kinds

SCHEDULES = Path(__file__).parents[2] / "scenarios" / "schedules"
NOTHING = "[[faults]]\nfault = 'nothing'\n"
REFUSED = {
    "a fault's region": ("[[faults]]\nfault = 'region_lost'\nregion = 'mars'", "mars is no region of this system"),
    "a link's region": (
        "[[faults]]\nfault = 'link_degraded'\nregion = 'eu-west-1'\nlink = 'edge'\nrule = { cut = true }",
        "eu-west-1 is no region of this system: give one of primary, standby, us-east-1, us-west-2",
    ),
    "who takes over": (f"moved_to = 'secondary'\n{NOTHING}", "secondary is no region"),
    "who stays": (f"stayed_at = 'us-east-2'\n{NOTHING}", "us-east-2 is no region"),
    "one region by its name and its role": (
        "[[faults]]\nfault = 'database_lost'\nregion = 'primary'\nfor_s = 2\n"
        "[[faults]]\nfault = 'region_lost'\nregion = 'us-east-1'\nat_s = 1",
        "database_lost and region_lost both harm database",
    ),
    "an alarm's region": (
        f"[[stop]]\nkind = 'alarm'\nname = 'red'\nregion = 'standby'\n{NOTHING}",
        "the stop condition on the alarm red can never be told, as standby is no region of this system: give us-east-1",
    ),
    "a metric that nothing samples": (
        f"[[stop]]\nkind = 'sample'\nmetric = 'replication_lag'\nsubject = 'aurora'\nabove = 1\n{NOTHING}",
        "can never be met, as nothing samples it: did you mean replication_lag_s?",
    ),
    "a subject that nothing samples": (
        f"[[stop]]\nkind = 'sample'\nmetric = 'replication_lag_s'\nsubject = 'aurorra'\nabove = 1\n{NOTHING}",
        "replication_lag_s of aurorra can never be met: did you mean aurora?",
    ),
    "a time that is over": (
        f"[[stop]]\nkind = 'until'\nat = 2020-01-01T00:00:00Z\n{NOTHING}",
        "the window ended at 2020-01-01 00:00:00 UTC, so nothing would be broken",
    ),
}


@pytest.fixture(params=TARGETS)
def outlook(request: pytest.FixtureRequest) -> Outlook:
    """What is known of each target that says so."""
    found = outlook_of(Header("", request.param, 10.0))
    if found is None:
        pytest.skip(f"{request.param} is known only once it stands")
    return found


@pytest.fixture
def embedded() -> Outlook:
    """What is known of the embedded target."""
    found = outlook_of(Header("", "embedded", 10.0))
    assert found is not None
    return found


@pytest.mark.parametrize("name", REFUSED)
def test_what_can_never_be_played_is_refused_in_a_sentence(embedded: Outlook, name: str) -> None:
    """It names the file, and what is wrong in it."""
    text, sentence = REFUSED[name]
    with pytest.raises(UnusableInput) as refused:
        require_playable(Scenario.from_toml(text, source="s.toml"), embedded, source="s.toml")
    assert str(refused.value).startswith("s.toml: ")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


ATTACHED = SCHEDULES / "attached.toml"
"""Only a system that is attached says how it is broken."""


@pytest.mark.parametrize("path", sorted(set(SCHEDULES.glob("*.toml")) - {ATTACHED}), ids=lambda path: path.stem)
def test_every_scenario_can_be_played(outlook: Outlook, path: Path) -> None:
    """Those of this repository, on every target that is known beforehand, with a stop condition of each kind."""
    stop: list[dict[str, Any]] = [
        {"kind": "alarm", "name": "red", "region": outlook.standby},
        {"kind": "sample", "metric": "replication_lag_s", "subject": "s3", "above": 60.0},
        {"kind": "sample", "metric": "cpu_wait_share", "subject": "harness", "above": 0.9},
        {"kind": "failed", "above": 0.9, "for_s": 300.0},
        {"kind": "file", "path": "/run/stop"},
        {"kind": "signal"},
    ]
    require_playable(Scenario.read(path), outlook, source=path.name, stop=stop)


def test_a_stop_condition_of_the_whole_day_is_looked_at_too(embedded: Outlook) -> None:
    """As one of the scenario's own."""
    stop = [{"kind": "sample", "metric": "luck", "subject": "mine", "below": 1.0}]
    with pytest.raises(UnusableInput, match="a stop condition on luck can never be met"):
        require_playable(Scenario.from_toml(NOTHING, source="s"), embedded, source="s", stop=stop)


@pytest.mark.parametrize(
    ("lacking", "fault"),
    [
        (NetworkPart, "fault = 'subnets_isolated'"),
        (ControllerPart, "fault = 'planned_switchover'"),
        ("ProcessPower", "fault = 'database_lost'"),
        ("LinkPower", "fault = 'replication_cut'"),
    ],
)
def test_a_power_or_part_that_the_target_lacks_is_named(lacking: type | str, fault: str) -> None:
    """Together with the fault that needs it."""
    poor = Outlook("poor", "here", "there", lambda power: power.__name__ != lacking, lambda part: part is not lacking)
    name = lacking if isinstance(lacking, str) else lacking.__name__
    with pytest.raises(UnusableInput, match=f"needs {name}, which the target poor does not have"):
        require_playable(Scenario.from_toml(f"[[faults]]\n{fault}", source="s"), poor, source="s")


def test_a_metric_counts_only_where_its_probe_can_look() -> None:
    """Without a bucket nothing samples the lag of objects."""
    text = f"[[stop]]\nkind = 'sample'\nmetric = 'replication_lag_s'\nsubject = 's3'\nabove = 1\n{NOTHING}"
    poor = Outlook("poor", "here", "there", lambda _power: True, lambda part: part is not BucketPart)
    with pytest.raises(UnusableInput, match="replication_lag_s of s3 can never be met: known are aurora"):
        require_playable(Scenario.from_toml(text, source="s"), poor, source="s")


def test_every_probe_says_what_it_samples() -> None:
    """What is written in a probe's code, as far as it is written there, is what it says."""
    said = {name for kind in probe_kinds() for name, _ in getattr(kind, "samples", ())}
    written = set()
    for path in Path(probes.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _samples(node.func):
                metric = node.args[0]
                if isinstance(metric, ast.Attribute):
                    continue  # a claim's, written where the claim is made
                assert isinstance(metric, ast.Constant), f"{path}: write the metric's name where it is sampled"
                written.add(metric.value)
    assert written == said


def _samples(function: ast.expr) -> bool:
    """Whether a call of it tells a metric first: a recorder's `sample`, or a `Claim` that is sampled later."""
    return (isinstance(function, ast.Attribute) and function.attr == "sample") or (
        isinstance(function, ast.Name) and function.id == "Claim"
    )


def test_what_a_description_says_is_played_only_where_there_is_one(outlook: Outlook) -> None:
    """No system that we make describes itself."""
    with pytest.raises(UnusableInput, match="described needs BreakPart"):
        require_playable(Scenario.read(ATTACHED), outlook, source=ATTACHED.name)
