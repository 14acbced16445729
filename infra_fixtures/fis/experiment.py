"""An experiment of AWS FIS: allowed, previewed, started, and followed by the states that it tells.

States and their meaning: https://docs.aws.amazon.com/fis/latest/userguide/view-experiments.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from drill.unusable import UnusableInput
from drill.wait import WaitTimeout, wait_until
from infra_fixtures.safety.objections import engaged

ENDED = frozenset({"completed", "stopped", "failed", "cancelled"})
NOT_BEGUN = frozenset({"pending", "initiating"})
LOOK_EVERY_S = 0.2
PREVIEWED_WITHIN_S = 120.0
BEGUN_WITHIN_S = 180.0
MOST_NAMED = 5

HARMLESS = frozenset({"aws:fis:wait", "aws:cloudwatch:assert-alarm-state"})
"""Actions that change nothing: a fault has not begun with them."""


class ExperimentFailed(Exception):
    """An experiment did not do what it was started for; the message says what FIS says."""


@dataclass(frozen=True, slots=True)
class Action:
    """One action of an experiment as it was last told. `begun`: it has a start time."""

    action_id: str
    status: str
    reason: str
    begun: bool
    start_after: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.status} ({self.reason})" if self.reason else self.status


@dataclass(frozen=True, slots=True)
class State:
    """An experiment as it was last told."""

    id: str
    status: str
    reason: str
    actions: Mapping[str, Action]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> State:
        """Of the `experiment` of an answer."""
        state = told.get("state", {})
        actions = {name: _action(each) for name, each in told.get("actions", {}).items()}
        return cls(str(told["id"]), str(state.get("status", "")), _reason(state), actions)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more of it happens."""
        return self.status in ENDED

    @property
    def harms(self) -> bool:
        """Whether an action that changes something has begun."""
        return any(a.begun and a.action_id not in HARMLESS for a in self.actions.values())

    @property
    def to_come(self) -> bool:
        """Whether an action is still to begin."""
        return not self.has_ended and any(a.status in NOT_BEGUN for a in self.actions.values())

    def __str__(self) -> str:
        """What FIS says of it and of the actions that did not do as they were to."""
        actions = [f"{n} {a}" for n, a in self.actions.items() if a.status not in ("running", "completed")]
        whole = f"{self.id} is {self.status}" + (f" ({self.reason})" if self.reason else "")
        return "; ".join([whole, *actions])


def _action(told: Mapping[str, Any]) -> Action:
    state = told.get("state", {})
    status = str(state.get("status", "pending"))
    begun = "startTime" in told and status not in {*NOT_BEGUN, "skipped", "cancelled"}
    return Action(str(told.get("actionId", "")), status, _reason(state), begun, tuple(told.get("startAfter", ())))


def _reason(state: Mapping[str, Any]) -> str:
    """FIS's own words, and the code of an error with them."""
    error = state.get("error") or {}
    words = [str(state.get("reason", "")), *(str(error[k]) for k in ("code", "location") if error.get(k))]
    return ": ".join(dict.fromkeys(w for w in words if w))


def state_of(fis: Any, experiment: str) -> State:
    """As FIS tells it now."""
    return State.of(fis.get_experiment(id=experiment)["experiment"])


def refuse_engaged(fis: Any, region: str) -> None:
    """UnusableInput where the safety lever forbids experiments, or where that cannot be told."""
    try:
        sentence = engaged(fis, region)
    except (BotoCoreError, ClientError) as e:
        raise UnusableInput(
            f"whether FIS's safety lever in {region} is engaged cannot be told ({e}), so that no experiment is started: "
            "allow fis:GetSafetyLever"
        ) from e
    if sentence:
        raise UnusableInput(f"no experiment is started: {sentence}")


def targets_of(fis: Any, experiment: str) -> dict[str, list[str]]:
    """What a previewed experiment's targets resolved to, by their names: ARNs, or what else FIS tells of them."""
    pages = fis.get_paginator("list_experiment_resolved_targets").paginate(experimentId=experiment)
    found: dict[str, list[str]] = {}
    for page in pages:
        for one in page.get("resolvedTargets", ()):
            told = one.get("targetInformation", {})
            found.setdefault(one["targetName"], []).append(str(told.get("arn") or ", ".join(map(str, told.values()))))
    return found


def await_preview(fis: Any, experiment: str) -> State:
    """The end of an experiment that runs no action; WaitTimeout.

    https://docs.aws.amazon.com/fis/latest/userguide/generate-target-preview.html
    """
    return _await(fis, experiment, lambda state: state.has_ended, "the preview of targets to end", PREVIEWED_WITHIN_S)


def await_harm(fis: Any, experiment: str) -> tuple[State, int]:
    """The first state in which an action that changes something has begun, and the time.monotonic_ns() by which it had.

    Raises ExperimentFailed where it ended without one, or none begins in time.
    """
    try:
        state = _await(
            fis, experiment, lambda s: s.harms or s.has_ended, f"an action of {experiment} to begin", BEGUN_WITHIN_S
        )
    except WaitTimeout as e:
        raise ExperimentFailed(f"{e}: {state_of(fis, experiment)}") from e
    if not state.harms:
        raise ExperimentFailed(f"no action began: {state}")
    return state, time.monotonic_ns()


def _await(fis: Any, experiment: str, done: Callable[[State], bool], what: str, within_s: float) -> State:
    seen: list[State] = []

    def is_done() -> bool:
        seen[:] = [state_of(fis, experiment)]
        return done(seen[0])

    wait_until(is_done, what=what, timeout_s=within_s, every_s=LOOK_EVERY_S)
    return seen[0]


def refuse_late(actions: Mapping[str, Mapping[str, Any]], source: str) -> None:
    """UnusableInput where no action that changes something begins with the experiment itself."""
    harming = [a for a in actions.values() if a["actionId"] not in HARMLESS]
    if not harming:
        raise UnusableInput(f"{source} has no action that changes anything: there is no fault in it")
    if all(a.get("startAfter") for a in harming):
        raise UnusableInput(
            f"{source} begins with a wait: leave it out, and say with at_s in the fault's table when it is to begin"
        )


def refuse_empty(used: Mapping[str, list[str]], resolved: Mapping[str, list[str]], source: str) -> None:
    """UnusableInput where a target that an action uses resolved to nothing; `used`: the actions by target."""
    empty = [f"{name} (of {', '.join(actions)})" for name, actions in used.items() if not resolved.get(name)]
    if empty:
        raise UnusableInput(
            f"{source}: no resource is a target of {'; '.join(empty)}, so that nothing would happen there: tag what is to be "
            "hit, or say allow_empty_targets = true"
        )


def uses(actions: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """The actions that use each target."""
    found: dict[str, list[str]] = {}
    for name, action in actions.items():
        for target in action.get("targets", {}).values():
            found.setdefault(target, []).append(name)
    return found


def shown(arns: list[str]) -> str:
    """So many resources, some of them named."""
    more = f" and {len(arns) - MOST_NAMED} more" if len(arns) > MOST_NAMED else ""
    return f"{len(arns)}: {', '.join(arns[:MOST_NAMED])}{more}"
