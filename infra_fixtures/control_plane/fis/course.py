"""The course of one experiment: its role, its targets, its actions in their order, what stops it, and what is put back.

https://docs.aws.amazon.com/fis/latest/userguide/experiments.html. An action without targets is skipped and the experiment
completes all the same, unless emptyTargetResolutionMode says fail. An action that fails fails the experiment, and stops the
others. Everything that was done is put back before an action counts as ended, whatever ended it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra_fixtures.control_plane.fis import catalogue, targets
from infra_fixtures.control_plane.fis.actions.action import Acting, ActionFailed, PausedReplication
from infra_fixtures.control_plane.fis.caller import Caller, sentence_of
from infra_fixtures.control_plane.fis.records import ActionState, Experiment
from infra_fixtures.control_plane.fis.role import trusts_fis
from infra_fixtures.internal_api.clients import call, client
from infra_fixtures.processes.events import EventLog

log = logging.getLogger(__name__)

LOOK_S = 0.25
"""How often the alarms of the stop conditions are looked at (real seconds); AWS does not say how often it does."""


class Course:
    """One experiment under way; `run` it once."""

    def __init__(
        self,
        experiment: Experiment,
        caller: Caller,
        events: EventLog,
        emit: Callable[[str, str, str], None],
        paused_replication: set[PausedReplication],
    ) -> None:
        self.experiment = experiment
        self._caller = caller
        self._events = events
        self._emit = emit
        self._paused = paused_replication
        self._ended = {name: asyncio.Event() for name in experiment.said["actions"]}
        self._acting: dict[str, Acting] = {}
        self._stop_reason: str | None = None
        self._failed: str | None = None

    def stop(self, reason: str) -> None:
        """Stop it: no action begins any more, those that run are ended and undone."""
        if self._stop_reason is None and self.experiment.is_live:
            self._stop_reason = reason
            if self.experiment.status == "running":
                self._to("stopping", "Stopping Experiment.")
            self._end_actions()

    async def run(self) -> None:
        """All of it; whatever happens, the experiment comes to an end and nothing of it is left."""
        experiment = self.experiment
        try:
            self._to("initiating", "Experiment is initiating.")
            if await self._may_begin():
                self._to("running", "Experiment is running.")
                await self._actions()
                self._conclude()
            else:
                experiment.cancel_actions()
        except Exception as e:  # a fault of the model is a failed experiment, never one that hangs
            log.exception("experiment %s failed", experiment.id)
            experiment.fail(f"The experiment could not be carried out: {sentence_of(e)}", "InternalError", "experiment")
        self._record()

    async def _may_begin(self) -> bool:
        """Assume the role, and resolve the targets; False where the experiment has ended with that."""
        experiment = self.experiment
        if reason := await self._why_no_role():
            experiment.fail(reason, "RoleAssumptionError", "experiment.roleArn")
            return False
        try:
            await self._resolve()
        except (ClientError, BotoCoreError) as e:
            experiment.fail(f"Targets could not be resolved. {sentence_of(e)}", "TargetResolutionError", "targets")
            return False
        empty = [name for name, found in experiment.resolved.items() if not found]
        if empty and experiment.summary()["experimentOptions"]["emptyTargetResolutionMode"] == "fail":
            experiment.fail("Target resolution returned empty set.", "EmptyTargetResolution", f"targets.{empty[0]}")
            return False
        if absent := await self._look_at_alarms():
            experiment.fail(
                f"The alarm of a stop condition does not exist: {absent}.", "StopCondition", "stopConditions"
            )
            return False
        if self._stop_reason is not None:
            experiment.to("stopped", self._stop_reason)
            return False
        return True

    async def _why_no_role(self) -> str | None:
        arn = self._caller.role_arn
        try:
            iam = await call(client, self._caller.layout, "iam", self._caller.region)
            role = (await call(iam.get_role, RoleName=arn.rpartition("/")[2]))["Role"]
        except ClientError as e:
            return f"Unable to assume role {arn}: {sentence_of(e)}"
        if role["Arn"] != arn:
            return f"Unable to assume role {arn}: it does not exist."
        if not trusts_fis(role["AssumeRolePolicyDocument"], self.experiment.account_id, self.experiment.arn):
            return f"Unable to assume role {arn}: its trust policy does not allow fis.amazonaws.com to assume it."
        return None

    async def _resolve(self) -> None:
        said = self.experiment.said
        used = {t for a in said["actions"].values() for t in (a.get("targets") or {}).values()}
        caller = self._caller.of(f"{self.experiment.id}/targets")
        for name in sorted(used):
            self.experiment.resolved[name] = await targets.resolve(
                caller, self.experiment.account_id, said["targets"][name]
            )

    async def _actions(self) -> None:
        watching = asyncio.create_task(self._watch())
        try:
            await asyncio.gather(*(self._action(name, said) for name, said in self.experiment.said["actions"].items()))
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _action(self, name: str, said: Mapping[str, Any]) -> None:
        state = self.experiment.actions[name]
        try:
            for other in said.get("startAfter") or ():
                await self._ended[other].wait()
            await self._begin(name, said, state)
        except Exception as e:
            log.exception("action %s of %s failed", name, self.experiment.id)
            self._fail(name, state, sentence_of(e))
        finally:
            self._events.record("fis.action", f"{self.experiment.id}/{name}", f"{state.status}: {state.reason}")
            self._ended[name].set()

    async def _begin(self, name: str, said: Mapping[str, Any], state: ActionState) -> None:
        found = {key: self.experiment.resolved[t] for key, t in (said.get("targets") or {}).items()}
        if self._stop_reason is not None or self._failed is not None:
            state.to("cancelled", "Action was cancelled.")
        elif self.experiment.actions_mode == "skip-all":
            state.to("skipped", "Action was skipped: the actions mode of the experiment is skip-all.")
        elif not all(found.values()):
            state.to("skipped", "Action was skipped: target resolution returned empty set.")
        else:
            acting = Acting(
                said.get("parameters") or {},
                found,
                self._caller.of(f"{self.experiment.id}/{name}"),
                self.experiment.account_id,
                self._emit,
                self._paused,
            )
            self._acting[name] = acting
            await self._perform(name, said["actionId"], acting, state)

    async def _perform(self, name: str, action_id: str, acting: Acting, state: ActionState) -> None:
        state.to("running", "Action is running.")
        self._events.record("fis.action", f"{self.experiment.id}/{name}", f"running: {action_id}")
        reason = None
        try:
            await catalogue.ACTIONS[action_id].run(acting)
        except ActionFailed as e:
            reason = str(e)
        except (ClientError, BotoCoreError) as e:
            reason = sentence_of(e)
        finally:
            if acting.stopping.is_set():
                state.status, state.reason = "stopping", "Stopping Action."
            left = await acting.undo_all()
            del self._acting[name]
        if left:
            reason = " ".join([*([reason] if reason else []), f"Not put back: {'; '.join(left)}"])
        if reason is not None:
            self._fail(name, state, reason)
        elif acting.stopping.is_set():
            state.to("stopped", "Action was stopped.")
        else:
            state.to("completed", "Action was completed.")

    def _fail(self, name: str, state: ActionState, reason: str) -> None:
        state.to("failed", reason)
        if self._failed is None:
            self._failed = name
            self._end_actions()

    def _end_actions(self) -> None:
        for acting in self._acting.values():
            acting.stopping.set()

    def _conclude(self) -> None:
        experiment = self.experiment
        if self._failed is not None:
            said = experiment.actions[self._failed].reason
            experiment.fail(f'Action "{self._failed}" failed: {said}', "ActionFailed", f"actions.{self._failed}")
        elif self._stop_reason is not None:
            experiment.to("stopped", self._stop_reason)
        else:
            experiment.to("completed", "Experiment completed.")

    @property
    def _alarms(self) -> list[str]:
        return [str(c["value"]) for c in self.experiment.said["stopConditions"] if c["source"] != "none"]

    async def _watch(self) -> None:
        """Look at the alarms of the stop conditions again and again."""
        while self._alarms:
            await asyncio.sleep(LOOK_S)
            try:
                if absent := await self._look_at_alarms():
                    self.stop(f"Experiment halted: the alarm {absent} of a stop condition is no more.")
            except (ClientError, BotoCoreError):
                log.exception("the stop conditions of %s could not be looked at", self.experiment.id)

    async def _look_at_alarms(self) -> str | None:
        """Stop the experiment where the alarm of a stop condition is in ALARM; the first alarm that is not there."""
        if not self._alarms:
            return None
        names = [arn.rpartition(":alarm:")[2] for arn in self._alarms]
        said = await self._caller.look("cloudwatch", "describe_alarms", AlarmNames=names)
        states = {str(a["AlarmArn"]): a["StateValue"] for a in said["MetricAlarms"]}
        for arn in self._alarms:
            if states.get(arn) == "ALARM":
                self.stop(f"Experiment halted by stop condition {arn}.")
        return next((arn for arn in self._alarms if arn not in states), None)

    def _to(self, status: str, reason: str) -> None:
        self.experiment.to(status, reason)
        self._record()

    def _record(self) -> None:
        experiment = self.experiment
        self._events.record("fis.experiment", experiment.id, f"{experiment.status}: {experiment.reason}")
