"""What FIS holds: templates and experiments, as its API gives them. Times are Unix time, in seconds."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra_fixtures.control_plane.fis.actions.action import Resource

LIVE = frozenset({"pending", "initiating", "running", "stopping"})
_LETTERS = string.ascii_letters + string.digits


def identity(kind: str) -> str:
    """An id as FIS makes them: EXT... for a template, EXP... for an experiment."""
    return kind + "".join(secrets.choice(_LETTERS) for _ in range(15))


@dataclass(slots=True)
class Template:
    """An experiment template; `said` is what CreateExperimentTemplate was given, without token and tags."""

    id: str
    arn: str
    said: dict[str, Any]
    tags: dict[str, str]
    created_s: float = field(default_factory=time.time)
    updated_s: float = field(default_factory=time.time)

    def described(self) -> dict[str, Any]:
        """As GetExperimentTemplate gives it."""
        return {
            **self.said,
            "targets": self.said.get("targets") or {},
            "experimentOptions": _options(self.said.get("experimentOptions")),
            "targetAccountConfigurationsCount": 0,
            **self.summary(),
        }

    def summary(self) -> dict[str, Any]:
        """As ListExperimentTemplates gives it."""
        return {
            "id": self.id,
            "arn": self.arn,
            "description": self.said["description"],
            "creationTime": self.created_s,
            "lastUpdateTime": self.updated_s,
            "tags": self.tags,
        }


@dataclass(slots=True)
class ActionState:
    """How an action of an experiment stands; seconds are None until it begins and ends."""

    status: str = "pending"
    reason: str = "Initial state"
    began_s: float | None = None
    ended_s: float | None = None

    def to(self, status: str, reason: str) -> None:
        """Change it, and stamp its beginning and end."""
        self.status, self.reason = status, reason
        if self.began_s is None and status == "running":
            self.began_s = time.time()
        if status not in LIVE:
            self.ended_s = time.time()

    def described(self) -> dict[str, Any]:
        """As GetExperiment gives it."""
        times = {"startTime": self.began_s, "endTime": self.ended_s}
        return {
            "state": {"status": self.status, "reason": self.reason},
            **{k: v for k, v in times.items() if v is not None},
        }


@dataclass(slots=True)
class Experiment:
    """An experiment; `said` is its template as it was when the experiment was started."""

    id: str
    arn: str
    template_id: str
    account_id: str
    said: Mapping[str, Any]
    actions_mode: str
    tags: dict[str, str]
    status: str = "pending"
    reason: str = "Experiment is pending."
    error: dict[str, str] = field(default_factory=dict)
    actions: dict[str, ActionState] = field(default_factory=dict)
    resolved: dict[str, list[Resource]] = field(default_factory=dict)
    created_s: float = field(default_factory=time.time)
    began_s: float = field(default_factory=time.time)
    ended_s: float | None = None

    @property
    def is_live(self) -> bool:
        """Whether it has not yet come to its end."""
        return self.status in LIVE

    def to(self, status: str, reason: str) -> None:
        """Change its state, and stamp its end."""
        self.status, self.reason = status, reason
        if status not in LIVE:
            self.ended_s = time.time()

    def cancel_actions(self) -> None:
        """None of its actions will begin."""
        for state in self.actions.values():
            state.to("cancelled", "Action was cancelled.")

    def fail(self, reason: str, code: str, location: str) -> None:
        """End it as failed; `code` and `location` say of what."""
        self.error = {"accountId": self.account_id, "code": code, "location": location}
        self.to("failed", reason)

    def state(self) -> dict[str, Any]:
        """Its state as the API gives it."""
        return {
            "status": self.status,
            "reason": self.reason,
            **({"error": self.error} if self.error else {}),
        }

    def described(self) -> dict[str, Any]:
        """As GetExperiment gives it."""
        actions = {name: {**action, **self.actions[name].described()} for name, action in self.said["actions"].items()}
        ended = {} if self.ended_s is None else {"endTime": self.ended_s}
        return {
            **self.summary(),
            "roleArn": self.said["roleArn"],
            "targets": self.said.get("targets") or {},
            "actions": actions,
            "stopConditions": self.said["stopConditions"],
            "startTime": self.began_s,
            "targetAccountConfigurationsCount": 0,
            **ended,
        }

    def summary(self) -> dict[str, Any]:
        """As ListExperiments gives it."""
        return {
            "id": self.id,
            "arn": self.arn,
            "experimentTemplateId": self.template_id,
            "state": self.state(),
            "creationTime": self.created_s,
            "tags": self.tags,
            "experimentOptions": {
                **_options(self.said.get("experimentOptions")),
                "actionsMode": self.actions_mode,
            },
        }


def _options(given: Mapping[str, str] | None) -> dict[str, str]:
    return {"accountTargeting": "single-account", "emptyTargetResolutionMode": "fail", **(given or {})}
