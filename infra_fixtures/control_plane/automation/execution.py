"""One execution of an Automation document: its steps one after another, as they say where to go next.

https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-branchdocs.html: onFailure and onCancel are Abort,
Continue or step:NAME; a step that failed and is critical (the default) makes the execution Failed although others follow it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra_fixtures.control_plane.automation.documents import Document, filled, references
from infra_fixtures.control_plane.automation.steps import StepFailed, StepResult, perform, selected
from infra_fixtures.control_plane.fis.caller import Caller, sentence_of

log = logging.getLogger(__name__)

_SSM = "ssm:"
UNINTERRUPTED = frozenset({"aws:executeAwsApi", "aws:executeScript"})
"""Steps that a cancelled execution lets come to their end, so that what cleans up knows what they did (their outputs)."""


@dataclass(slots=True)
class StepRecord:
    """How a step went; times are Unix time."""

    name: str
    action: str
    status: str = "InProgress"
    message: str = ""
    outputs: dict[str, list[str]] = field(default_factory=dict)
    began_s: float = field(default_factory=time.time)
    ended_s: float | None = None

    def end(self, status: str, message: str = "") -> None:
        """It has ended."""
        self.status, self.message, self.ended_s = status, message, time.time()


class Execution:
    """An execution under way or ended; `run` it once, as a task."""

    def __init__(self, identity: str, document: Document, parameters: Mapping[str, Any], caller: Caller, account: str):
        self.id = identity
        self.document = document
        self.parameters = parameters
        self.caller = caller
        self.status = "InProgress"
        self.message = ""
        self.steps: list[StepRecord] = []
        self.began_s = time.time()
        self.ended_s: float | None = None
        now = dt.datetime.now(dt.UTC)
        self._known: dict[str, Any] = {
            "global:ACCOUNT_ID": account,
            "global:REGION": caller.region,
            "global:DATE": f"{now:%Y-%m-%d}",
            "global:DATE_TIME": f"{now:%Y-%m-%d_%H.%M.%S}",
            "automation:EXECUTION_ID": identity,
        }
        self._cancelled = asyncio.Event()

    def cancel(self) -> None:
        """End the step under way; its onCancel says what is done then."""
        if self.status == "InProgress":
            self.status = "Cancelling"
            self._cancelled.set()

    async def run(self) -> None:
        """All steps; never raises."""
        status = "Failed"
        try:
            self._known |= await self._resolved_parameters()
            status = await self._steps()
        except (ClientError, BotoCoreError) as e:
            self.message = sentence_of(e)
        except Exception as e:  # a fault of the model is a failed execution, never one that hangs
            log.exception("automation %s failed", self.id)
            self.message = sentence_of(e)
        self.status, self.ended_s = status, time.time()

    async def _resolved_parameters(self) -> dict[str, Any]:
        """Parameters whose value refers to others: to global variables, and to parameters in Parameter Store."""
        known = dict(self._known)
        for name in {r for r in references(dict(self.parameters)) if r.startswith(_SSM)}:
            said = await self.caller.do("ssm", "get_parameter", Name=name.removeprefix(_SSM))
            known[name] = said["Parameter"]["Value"]
        return {name: filled(value, known) for name, value in self.parameters.items()}

    async def _steps(self) -> str:
        """Until the last; the status of the whole."""
        order = [s["name"] for s in self.document.steps]
        steps = dict(zip(order, self.document.steps, strict=True))
        status, name = "Success", order[0] if order else None
        while name is not None:
            step = steps[name]
            record = StepRecord(name, step["action"])
            self.steps.append(record)
            jump = await self._step(step, record)
            following = order[order.index(name) + 1 :]
            after = following[0] if following else None
            if record.status == "Success":
                name = None if step.get("isEnd") else jump or step.get("nextStep") or after
                continue
            cancelled = record.status == "Cancelled"
            if cancelled:
                status = "Cancelled"
            elif step.get("isCritical", True) and status != "Cancelled":
                status, self.message = "Failed", f"Step {name} failed: {record.message}"
            name = self._after_failure(step, after, "onCancel" if cancelled else "onFailure")
        return status

    @staticmethod
    def _after_failure(step: Mapping[str, Any], after: str | None, key: str) -> str | None:
        wanted = str(step.get(key, "Abort"))
        if wanted.startswith("step:"):
            return wanted.removeprefix("step:").strip()
        return after if wanted == "Continue" and not step.get("isEnd") else None

    async def _step(self, step: Mapping[str, Any], record: StepRecord) -> str | None:
        """Do one; where it jumps to."""
        for attempt in range(int(step.get("maxAttempts", 1))):
            log.info("automation %s: step %s, attempt %d", self.id, record.name, attempt + 1)
            jump = None
            try:
                if (result := await self._attempt(step)) is not None:
                    self._keep_outputs(step, record, result)
                    jump = result.jump
                record.end("Success")
            except TimeoutError:
                record.end("TimedOut", f"it took longer than {step.get('timeoutSeconds', 'it may')} s")
            except (StepFailed, ClientError, BotoCoreError) as e:
                record.end("Failed", str(e) if isinstance(e, StepFailed) else sentence_of(e))
            if self._cancelled.is_set():
                self._cancelled.clear()  # the steps that clean up are not cancelled again
                record.end("Cancelled", record.message)
                return None
            if record.status == "Success":
                return jump
        return None

    async def _attempt(self, step: Mapping[str, Any]) -> StepResult | None:
        """What the step gave; None where it was cancelled. What changes something is not cancelled half-way."""
        inputs = filled(step.get("inputs") or {}, self._known)
        limit = float(step["timeoutSeconds"]) if "timeoutSeconds" in step else None
        doing = asyncio.create_task(perform(self.caller, step["action"], inputs))
        cancelling = asyncio.create_task(self._cancelled.wait())
        try:
            async with asyncio.timeout(limit):
                await asyncio.wait({doing, cancelling}, return_when=asyncio.FIRST_COMPLETED)
                if step["action"] in UNINTERRUPTED:
                    await asyncio.wait({doing})
            return doing.result() if doing.done() else None
        finally:
            for task in (doing, cancelling):
                task.cancel()
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await asyncio.gather(doing, cancelling, return_exceptions=True)

    def _keep_outputs(self, step: Mapping[str, Any], record: StepRecord, result: StepResult) -> None:
        for output in step.get("outputs") or ():
            value = selected(result.said, output["Selector"])
            self._known[f"{record.name}.{output['Name']}"] = value
            record.outputs[output["Name"]] = [str(v) for v in (value if isinstance(value, list) else [value])]
        if step["action"] == "aws:executeScript":
            self._known.setdefault(f"{record.name}.Payload", result.said["Payload"])
