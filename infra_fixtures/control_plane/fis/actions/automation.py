"""aws:ssm:start-automation-execution: starts a document of Systems Manager, and is what becomes of its execution.

https://docs.aws.amazon.com/fis/latest/userguide/actions-ssm-agent.html. Stopped, or longer than maxDuration, the execution is
cancelled: what its document says for that (onCancel) is awaited before the action ends. maxDuration is in real time at every
pace, as the scripts of documents are.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from drill.wait import await_until
from infra_fixtures.control_plane.fis.actions.action import Acting, Action, ActionFailed, Parameter
from infra_fixtures.control_plane.fis.durations import action_seconds

LOOK_S = 0.2
CANCEL_LIMIT_S = 3600.0
RUNNING = frozenset({"Pending", "InProgress", "Cancelling", "Waiting"})


async def _automate(acting: Acting) -> None:
    asked: dict[str, Any] = {"DocumentName": acting.parameters["documentArn"]}
    if version := acting.parameters.get("documentVersion"):
        asked["DocumentVersion"] = version
    if parameters := acting.parameters.get("documentParameters"):
        asked["Parameters"] = _parameters(parameters)
    started: list[str] = []
    acting.put_back(_cancel, acting, started)
    said = await acting.caller.do("ssm", "start_automation_execution", **asked)
    started.append(said["AutomationExecutionId"])
    ends = time.monotonic() + action_seconds(acting.parameters["maxDuration"])
    while (execution := await _look(acting, started[0]))["AutomationExecutionStatus"] in RUNNING:
        if time.monotonic() > ends:
            raise ActionFailed(f"The automation {started[0]} took longer than {acting.parameters['maxDuration']}.")
        if not await acting.rest(LOOK_S):
            return
    status = execution["AutomationExecutionStatus"]
    if status != "Success":
        why = execution.get("FailureMessage", "")
        raise ActionFailed(f"The automation {started[0]} ended as {status}. {why}".strip())


async def _cancel(acting: Acting, started: list[str]) -> None:
    """Cancel what still runs, and wait until it has put back what it did."""
    for execution in started:
        if (await _look(acting, execution))["AutomationExecutionStatus"] in RUNNING:
            await acting.caller.do("ssm", "stop_automation_execution", AutomationExecutionId=execution, Type="Cancel")

        async def ended(execution: str = execution) -> bool:
            return (await _look(acting, execution))["AutomationExecutionStatus"] not in RUNNING

        await await_until(ended, what=f"the end of automation {execution}", timeout_s=CANCEL_LIMIT_S, every_s=LOOK_S)
        said = await _look(acting, execution)
        failed = [s for s in said["StepExecutions"] if s["StepStatus"] in ("Failed", "TimedOut")]
        if said["AutomationExecutionStatus"] == "Cancelled" and failed:
            told = "; ".join(f"{s['StepName']}: {s.get('FailureMessage', '')}" for s in failed)
            raise ActionFailed(f"The automation {execution} was cancelled, and steps of it failed: {told}")


async def _look(acting: Acting, execution: str) -> Mapping[str, Any]:
    said = await acting.caller.do("ssm", "get_automation_execution", AutomationExecutionId=execution)
    found: Mapping[str, Any] = said["AutomationExecution"]
    return found


def _parameters(text: str) -> dict[str, list[str]]:
    try:
        said = json.loads(text)
        return {name: [str(v) for v in (value if isinstance(value, list) else [value])] for name, value in said.items()}
    except (ValueError, AttributeError) as e:
        raise ActionFailed(f"documentParameters is not a JSON object: {e}") from e


ACTIONS = (
    Action(
        "aws:ssm:start-automation-execution",
        "Run the Automation document.",
        _automate,
        {
            "documentArn": Parameter("The Amazon Resource Name (ARN) of the automation document.", required=True),
            "documentVersion": Parameter("The version of the document. If empty, the default version runs."),
            "documentParameters": Parameter("The required and optional parameters that the document accepts (JSON)."),
            "maxDuration": Parameter("The maximum time allowed for the automation, in ISO 8601 format.", required=True),
        },
    ),
)
