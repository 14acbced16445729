"""What the steps of a document do.

https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-actions.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jmespath
from botocore import xform_name
from botocore.exceptions import ParamValidationError, UnknownServiceError

from drill.wait import await_until
from infra_fixtures.control_plane.automation.reach import SERVICES, refusal
from infra_fixtures.control_plane.automation.script import ScriptFailed, run_script
from infra_fixtures.control_plane.fis.caller import Caller
from infra_fixtures.control_plane.fis.durations import seconds
from infra_fixtures.pace import Timer, paced

POLL_S = 0.25
"""How often a property is asked for (real seconds)."""
WAIT_LIMIT_S = 3600.0
"""How long a property is waited for where the step says nothing else (timeoutSeconds)."""
_CALL = frozenset({"Service", "Api", "PropertySelector", "DesiredValues"})
_OPERATORS = {
    "StringEquals": lambda a, b: str(a) == str(b),
    "StringEqualsIgnoreCase": lambda a, b: str(a).lower() == str(b).lower(),
    "StartsWith": lambda a, b: str(a).startswith(str(b)),
    "EndsWith": lambda a, b: str(a).endswith(str(b)),
    "Contains": lambda a, b: str(b) in str(a),
    "NumericEquals": lambda a, b: float(a) == float(b),
    "NumericGreater": lambda a, b: float(a) > float(b),
    "NumericLesser": lambda a, b: float(a) < float(b),
    "NumericGreaterOrEquals": lambda a, b: float(a) >= float(b),
    "NumericLesserOrEquals": lambda a, b: float(a) <= float(b),
    "BooleanEquals": lambda a, b: str(a).lower() == str(b).lower(),
}


class StepFailed(Exception):
    """A step was not done; the message is its failure message."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step gave: the document that its outputs select from, and where it jumps to."""

    said: Any = None
    jump: str | None = None


async def perform(caller: Caller, action: str, inputs: Mapping[str, Any]) -> StepResult:
    """Do a step whose inputs are filled; raises StepFailed, and botocore's errors where AWS says no."""
    match action:
        case "aws:sleep":
            return await _sleep(caller, inputs)
        case "aws:executeAwsApi":
            return StepResult(await _call(caller, inputs))
        case "aws:waitForAwsResourceProperty":
            return await _await_property(caller, inputs)
        case "aws:assertAwsResourceProperty":
            said = await _call(caller, inputs)
            if not _is_as_desired(said, inputs):
                found = selected(said, inputs["PropertySelector"])
                raise StepFailed(f"{inputs['PropertySelector']} is {found}, none of {inputs['DesiredValues']}")
            return StepResult()
        case "aws:executeScript":
            return await _script(caller, inputs)
        case "aws:branch":
            return StepResult(jump=branch(inputs))
    raise StepFailed(f"{action} is not executed here")


async def _await_property(caller: Caller, inputs: Mapping[str, Any]) -> StepResult:
    async def desired() -> bool:
        return _is_as_desired(await _call(caller, inputs), inputs)

    await await_until(desired, what=str(inputs["PropertySelector"]), timeout_s=WAIT_LIMIT_S, every_s=POLL_S)
    return StepResult()


def selected(said: Any, selector: str) -> Any:
    """What a selector ($.Reservations[0].State) finds; None where nothing is there."""
    path = selector.removeprefix("$").removeprefix(".")
    return said if not path else jmespath.search(path, said)


def branch(inputs: Mapping[str, Any]) -> str | None:
    """Where the first choice that holds leads, else the default; None: to the next step."""
    for choice in inputs.get("Choices") or ():
        if _holds(choice):
            return str(choice["NextStep"])
    default = inputs.get("Default")
    return None if default is None else str(default)


def _holds(choice: Mapping[str, Any]) -> bool:
    if "And" in choice:
        return all(_holds(c) for c in choice["And"])
    if "Or" in choice:
        return any(_holds(c) for c in choice["Or"])
    if "Not" in choice:
        return not _holds(choice["Not"])
    operators = [name for name in _OPERATORS if name in choice]
    if len(operators) != 1:
        raise StepFailed(f"a choice has {len(operators)} operators that are known: {sorted(choice)}")
    return bool(_OPERATORS[operators[0]](choice.get("Variable"), choice[operators[0]]))


async def _sleep(caller: Caller, inputs: Mapping[str, Any]) -> StepResult:
    if "Duration" not in inputs:
        raise StepFailed("aws:sleep until a timestamp is not executed here: give a Duration")
    try:
        length_s = seconds(str(inputs["Duration"]))
    except ValueError as e:
        raise StepFailed(str(e)) from e
    await asyncio.sleep(paced(caller.layout.pace, Timer.AUTOMATION_SLEEP, length_s))
    return StepResult()


async def _call(caller: Caller, inputs: Mapping[str, Any]) -> Any:
    service = str(inputs["Service"]).lower()
    if service not in SERVICES:
        raise StepFailed(refusal(service))
    parameters = {k: v for k, v in inputs.items() if k not in _CALL}
    try:
        return await caller.do(service, xform_name(str(inputs["Api"])), **parameters)
    except (ParamValidationError, UnknownServiceError, AttributeError) as e:
        raise StepFailed(str(e)) from e


def _is_as_desired(said: Any, inputs: Mapping[str, Any]) -> bool:
    return str(selected(said, str(inputs["PropertySelector"]))) in {str(v) for v in inputs["DesiredValues"]}


async def _script(caller: Caller, inputs: Mapping[str, Any]) -> StepResult:
    runtime = str(inputs.get("Runtime", ""))
    if not runtime.lower().startswith("python"):
        raise StepFailed(f"scripts of {runtime} are not executed here, only Python's")
    if "Script" not in inputs:
        raise StepFailed("a script in an attachment is not executed here: give it as Script")
    try:
        payload = await run_script(
            caller.layout, caller.region, caller.role_arn,
            str(inputs["Script"]), str(inputs["Handler"]), inputs.get("InputPayload") or {},
        )  # fmt: skip
    except ScriptFailed as e:
        raise StepFailed(str(e)) from e
    return StepResult({"Payload": payload})
