"""Faults of ours as an experiment template of AWS FIS: what a fault says of itself, put together to a template.

A template's form: https://docs.aws.amazon.com/fis/latest/userguide/experiment-templates.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from drill.unusable import UnusableInput

ACTIONS_PAGE = "https://docs.aws.amazon.com/fis/latest/userguide/fis-actions-reference.html"
SHORTEST_S, LONGEST_S = 60, 12 * 3600
"""Of an action's duration: https://docs.aws.amazon.com/fis/latest/userguide/action-sequence.html#action-duration."""
MOST_ALARMS, MOST_ACTIONS = 5, 20
"""https://docs.aws.amazon.com/fis/latest/userguide/fis-quotas.html."""
LOG_SCHEMA = 2
"""https://docs.aws.amazon.com/fis/latest/userguide/monitoring-logging.html."""


class NotInFis(UnusableInput):
    """FIS can do nothing that is the same."""

    def __init__(self, fault: str, why: str) -> None:
        super().__init__(f"FIS has no action for {fault}: {why} ({ACTIONS_PAGE})")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a template is to be used: account, the two regions by their role, and the tags of what may be hit."""

    account: str
    primary: str
    standby: str
    tags: Mapping[str, str]
    lasts_s: float = 600.0
    """How long a fault lasts that says nothing of it."""

    def region(self, named: str) -> str:
        """A region's name where its role may stand for it."""
        return {"primary": self.primary, "standby": self.standby}.get(named, named)

    def tagged(self, resource_type: str) -> dict[str, Any]:
        """A target: all resources of that type with the tags."""
        return {"resourceType": resource_type, "resourceTags": dict(self.tags), "selectionMode": "ALL"}

    def named(self, resource_type: str, arn: str) -> dict[str, Any]:
        """A target: that resource."""
        return {"resourceType": resource_type, "resourceArns": [arn], "selectionMode": "ALL"}


@dataclass(frozen=True, slots=True)
class Automation:
    """An SSM automation document that does what FIS has no action for, and what its role must be allowed."""

    name: str
    content: Mapping[str, Any]
    permissions: Sequence[str]
    parameters: Mapping[str, str]

    @property
    def role(self) -> str:
        """The name of its role."""
        return f"{self.name}-automation"


@dataclass(frozen=True, slots=True)
class FisAction:
    """One fault as an action of FIS in `region`.

    `target`: key of the action's targets and the target itself. `lasts`: the parameter that takes the duration, empty for an
    action that is over by itself. `differs`: in what it is not the same as our fault, a sentence for whoever uses it.
    """

    id: str
    region: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    target: tuple[str, Mapping[str, Any]] | None = None
    lasts: str = "duration"
    differs: str = ""
    automation: Automation | None = None


@dataclass(frozen=True, slots=True)
class Timed:
    """An action with its name, and when: seconds after the experiment's start, and for how long."""

    name: str
    action: FisAction
    at_s: float
    lasts_s: float


def duration(seconds: float, what: str) -> str:
    """As ISO 8601, in whole seconds; UnusableInput where FIS cannot take it."""
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise UnusableInput(
            f"{what} is {seconds:g} s, and FIS takes one minute to 12 hours: make it 60 to {LONGEST_S} s, or play it with "
            "python -m scenarios play"
        )
    if seconds != int(seconds):
        raise UnusableInput(f"{what} is {seconds:g} s, and FIS takes whole seconds")
    minutes, rest = divmod(int(seconds), 60)
    return f"PT{minutes}M{rest}S" if rest else f"PT{minutes}M"


def template_of(
    name: str,
    actions: Sequence[Timed],
    place: Place,
    *,
    alarms: Iterable[str] = (),
    role_arn: str,
    log_group: str = "",
    description: str = "",
) -> dict[str, Any]:
    """Parameters of CreateExperimentTemplate; UnusableInput where they are no template of one region."""
    region = region_of(actions)
    made: dict[str, Any] = {}
    targets: dict[str, Any] = {}
    for one in actions:
        made |= _action(one, place, region)
        if one.action.target:
            targets[f"{one.name}-targets"] = dict(one.action.target[1])
    if len(made) > MOST_ACTIONS:
        raise UnusableInput(f"{name} has {len(made)} actions, and FIS takes {MOST_ACTIONS} a template: split it")
    found: dict[str, Any] = {
        "description": description or f"{name}: {', '.join(a.name for a in actions)}",
        "targets": targets,
        "actions": made,
        "stopConditions": _stop_conditions(name, list(alarms), place.account, region),
        "roleArn": role_arn,
        "tags": {"Name": name, **place.tags},
        "experimentOptions": {"accountTargeting": "single-account", "emptyTargetResolutionMode": "fail"},
    }
    if log_group:
        arn = f"arn:aws:logs:{region}:{place.account}:log-group:{log_group}:*"
        found["logConfiguration"] = {
            "cloudWatchLogsConfiguration": {"logGroupArn": arn},
            "logSchemaVersion": LOG_SCHEMA,
        }
    return found


def region_of(actions: Sequence[Timed]) -> str:
    """The region that all actions are in; UnusableInput where they are in two."""
    regions = sorted({a.action.region for a in actions})
    if len(regions) > 1:
        raise UnusableInput(
            f"the faults are in {' and '.join(regions)}, and an experiment acts in the region that it is started in: write a "
            "scenario for each"
        )
    return regions[0]


def _action(one: Timed, place: Place, region: str) -> dict[str, Any]:
    action = one.action
    made: dict[str, Any] = {"actionId": action.id, "parameters": dict(action.parameters)}
    if action.differs:
        made["description"] = action.differs
    if action.lasts:
        made["parameters"][action.lasts] = duration(one.lasts_s, f"the time of {one.name}")
    if action.automation:
        made["parameters"] |= _automated(action.automation, place, region)
    made["targets"] = {action.target[0]: f"{one.name}-targets"} if action.target else {}
    if not one.at_s:
        return {one.name: made}
    wait = f"before-{one.name}"
    waiting = {
        "actionId": "aws:fis:wait",
        "parameters": {"duration": duration(one.at_s, f"the time before {one.name}")},
    }
    return {wait: waiting, one.name: {**made, "startAfter": [wait]}}


def _automated(automation: Automation, place: Place, region: str) -> dict[str, str]:
    role = f"arn:aws:iam::{place.account}:role/{automation.role}"
    return {
        "documentArn": f"arn:aws:ssm:{region}:{place.account}:document/{automation.name}",
        "documentParameters": json.dumps({**automation.parameters, "AutomationAssumeRole": role}),
    }


def _stop_conditions(name: str, alarms: list[str], account: str, region: str) -> list[dict[str, str]]:
    """Alarms of the experiment's own account and region (https://docs.aws.amazon.com/fis/latest/userguide/stop-conditions.html)."""
    if len(alarms) > MOST_ALARMS:
        raise UnusableInput(f"{name} has {len(alarms)} alarms as stop conditions, and FIS takes {MOST_ALARMS}")
    arns = [f"arn:aws:cloudwatch:{region}:{account}:alarm:{alarm}" for alarm in alarms]
    return [{"source": "aws:cloudwatch:alarm", "value": arn} for arn in arns] or [{"source": "none"}]
