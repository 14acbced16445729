"""Systems Manager's Automation of one region: starts executions, tells how they stand, stops them.

Documents are where Systems Manager's others are: in moto, or in the emulator that answers for it.
https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec
from botocore.exceptions import ClientError
from multidict import CIMultiDict

from infra_fixtures.access.credentials import role_of
from infra_fixtures.control_plane.automation.documents import Document, DocumentRefused, filled
from infra_fixtures.control_plane.automation.execution import Execution, StepRecord
from infra_fixtures.control_plane.backend import Answer, Call
from infra_fixtures.control_plane.fis.caller import Caller, RegionGate, code_of, sentence_of
from infra_fixtures.control_plane.fis.role import trusts
from infra_fixtures.internal_api.clients import call, client
from infra_fixtures.processes.events import EventLog
from infra_fixtures.run_layout import RunLayout

TARGET = "AmazonSSM."
OPERATIONS = frozenset(
    f"{TARGET}{name}" for name in ("StartAutomationExecution", "GetAutomationExecution", "StopAutomationExecution")
)
"""The operations that are answered here, by their X-Amz-Target; all others of Systems Manager go on."""
SERVICE = "ssm.amazonaws.com"
INVALID = "InvalidAutomationExecutionParametersException"


class Automation:
    """The executions of a region; belongs to one event loop."""

    def __init__(self, layout: RunLayout, region: str, gate: RegionGate, events: EventLog) -> None:
        self._layout = layout
        self._region = region
        self._gate = gate
        self._events = events
        self._executions: dict[str, Execution] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def answer(self, call: Call) -> Answer:
        """Answer a call."""
        role_arn = role_of(call.headers.get("X-Amz-Security-Token", ""))
        operation = call.headers["X-Amz-Target"].removeprefix(TARGET)
        try:
            fields = msgspec.json.decode(call.body or b"{}", type=dict[str, Any])
            if operation == "StartAutomationExecution":
                return _answer(200, await self._start(fields, role_arn))
            execution = self._execution(str(fields.get("AutomationExecutionId", "")))
            if operation == "StopAutomationExecution":
                execution.cancel()
                return _answer(200, {})
            return _answer(200, {"AutomationExecution": self._described(execution)})
        except msgspec.MsgspecError as e:
            return _refused(400, "ValidationException", str(e))
        except DocumentRefused as e:
            return _refused(501 if e.code == "NotImplemented" else 400, e.code, str(e))

    async def _start(self, fields: Mapping[str, Any], role_arn: str | None) -> Mapping[str, str]:
        for asked in sorted(
            fields.keys() - {"DocumentName", "DocumentVersion", "Parameters", "ClientToken", "Mode", "Tags"}
        ):
            raise DocumentRefused("NotImplemented", f"{asked} of StartAutomationExecution is not available here.")
        document = await self._document(str(fields.get("DocumentName", "")))
        document.require_executable()
        parameters = document.parameters(fields.get("Parameters") or {})
        identity = str(uuid.uuid4())
        role = await self._role(document, parameters, role_arn)
        caller = Caller(self._layout, self._region, role, self._gate, self._events, f"automation/{identity}")
        execution = Execution(identity, document, parameters, caller, self._layout.account_id)
        self._executions[identity] = execution
        task = asyncio.get_running_loop().create_task(execution.run(), name=f"automation {identity}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return {"AutomationExecutionId": identity}

    async def _document(self, named: str) -> Document:
        name = named.rpartition(":document/")[2]
        ssm = await call(client, self._layout, "ssm", self._region)
        try:
            said = await call(ssm.get_document, Name=name, DocumentFormat="JSON")
        except ClientError as e:
            raise DocumentRefused(
                "AutomationDefinitionNotFoundException", f"There is no document {named}: {code_of(e)}."
            ) from e
        return Document(name, json.loads(said["Content"]))

    async def _role(self, document: Document, parameters: Mapping[str, Any], caller_role: str | None) -> str:
        """The role that the document names, if Systems Manager may assume it; else the caller's own."""
        known = {**parameters, "global:ACCOUNT_ID": self._layout.account_id, "global:REGION": self._region}
        wanted = str(filled(document.content.get("assumeRole") or "", known))
        if not wanted:
            if caller_role is None:
                raise DocumentRefused(INVALID, "The document names no assumeRole, and the caller is no role.")
            return caller_role
        iam = await call(client, self._layout, "iam", self._region)
        try:
            role = (await call(iam.get_role, RoleName=wanted.rpartition("/")[2]))["Role"]
        except ClientError as e:
            raise DocumentRefused(INVALID, f"The role {wanted} cannot be assumed: {sentence_of(e)}") from e
        if role["Arn"] != wanted or not trusts(role["AssumeRolePolicyDocument"], SERVICE, self._context(document)):
            raise DocumentRefused(INVALID, f"The role {wanted} cannot be assumed by {SERVICE}.")
        return wanted

    def _context(self, document: Document) -> Mapping[str, str]:
        arn = f"arn:aws:ssm:{self._region}:{self._layout.account_id}:automation-execution/{document.name}"
        return {"aws:sourceaccount": self._layout.account_id, "aws:sourcearn": arn}

    def _execution(self, identity: str) -> Execution:
        if identity not in self._executions:
            raise DocumentRefused(
                "AutomationExecutionNotFoundException", f"There is no automation execution {identity}."
            )
        return self._executions[identity]

    def _described(self, execution: Execution) -> Mapping[str, Any]:
        ended = {} if execution.ended_s is None else {"ExecutionEndTime": execution.ended_s}
        return {
            "AutomationExecutionId": execution.id,
            "DocumentName": execution.document.name,
            "AutomationExecutionStatus": execution.status,
            "ExecutionStartTime": execution.began_s,
            "StepExecutions": [_step(s) for s in execution.steps],
            "StepExecutionsTruncated": False,
            "Parameters": {k: [str(v)] for k, v in execution.parameters.items()},
            "ExecutedBy": execution.caller.role_arn,
            "Mode": "Auto",
            **({"FailureMessage": execution.message} if execution.message else {}),
            **ended,
        }


def _step(step: StepRecord) -> Mapping[str, Any]:
    return {
        "StepName": step.name,
        "Action": step.action,
        "StepStatus": step.status,
        "ExecutionStartTime": step.began_s,
        "Outputs": step.outputs,
        **({} if step.ended_s is None else {"ExecutionEndTime": step.ended_s}),
        **({"FailureMessage": step.message} if step.message else {}),
    }


def _answer(status: int, said: Mapping[str, Any], **headers: str) -> Answer:
    return Answer(
        status,
        CIMultiDict({"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": str(uuid.uuid4()), **headers}),
        msgspec.json.encode(said),
    )


def _refused(status: int, code: str, message: str) -> Answer:
    return _answer(status, {"__type": code, "Message": message, "message": message})
