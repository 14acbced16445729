"""aws:lambda:invocation-add-delay, -error and -http-integration-response: told to FIS's extension through S3.

https://docs.aws.amazon.com/fis/latest/userguide/fis-actions-reference.html#lambda-actions-reference. A function that names no
location fails the action; one without the layer or the wrapper is not hit, and nothing tells FIS so.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping

import msgspec

from infra_fixtures.control_plane.fis.actions.action import (
    DURATION,
    Acting,
    Action,
    ActionFailed,
    Parameter,
    unless_gone,
)
from infra_fixtures.control_plane.fis.durations import action_seconds
from infra_fixtures.fis_lambda import DELAY, ERROR, LOCATION_VARIABLE, RESPONSE, InvocationFault, folder, location
from infra_fixtures.pace import Timer, paced

Fault = Callable[[Mapping[str, str], float], InvocationFault]


async def _inject(fault: Fault, acting: Acting) -> None:
    length_s = paced(acting.pace, Timer.FIS_DURATION, action_seconds(acting.parameters["duration"]))
    try:
        told = msgspec.json.encode(fault(acting.parameters, time.time() + length_s))
    except ValueError as e:
        raise ActionFailed(f"A parameter is not a number: {e}") from e
    for function in acting.targets["Functions"]:
        said = await acting.caller.do("lambda", "get_function_configuration", FunctionName=function.arn)
        where = location(said.get("Environment", {}).get("Variables", {}))
        if where is None:
            raise ActionFailed(f"{function.arn} has no {LOCATION_VARIABLE} such as arn:aws:s3:::bucket/prefix/.")
        bucket, prefix = where
        key = f"{folder(prefix, function.arn)}{acting.caller.subject.replace('/', '-')}.json"
        acting.put_back(_remove, acting, bucket, key)
        await acting.caller.do("s3", "put_object", Bucket=bucket, Key=key, Body=told, ContentType="application/json")
    await acting.hold()


async def _remove(acting: Acting, bucket: str, key: str) -> None:
    await unless_gone(("NoSuchBucket",), acting.caller.do("s3", "delete_object", Bucket=bucket, Key=key))


def _delay(parameters: Mapping[str, str], ends_s: float) -> InvocationFault:
    delay_s = float(parameters.get("startupDelayMilliseconds", "2000")) / 1000
    return InvocationFault(kind=DELAY, ends_s=ends_s, percentage=_share(parameters), delay_s=delay_s)


def _error(parameters: Mapping[str, str], ends_s: float) -> InvocationFault:
    return InvocationFault(kind=ERROR, ends_s=ends_s, percentage=_share(parameters), prevents=_prevents(parameters))


def _response(parameters: Mapping[str, str], ends_s: float) -> InvocationFault:
    return InvocationFault(
        kind=RESPONSE, ends_s=ends_s, percentage=_share(parameters), prevents=_prevents(parameters),
        status_code=int(parameters["statusCode"]), content_type=parameters["contentTypeHeader"],
    )  # fmt: skip


def _share(parameters: Mapping[str, str]) -> int:
    share = int(parameters.get("invocationPercentage", "100"))
    if not 1 <= share <= 100:
        raise ValueError(f"invocationPercentage {share} is not between 1 and 100")
    return share


def _prevents(parameters: Mapping[str, str]) -> bool:
    return parameters["preventExecution"] == "true"


_SHARE = Parameter("The percentage of function invocations that the fault is injected into, 1 to 100 (default 100).")
_PREVENT = Parameter(
    "true: the function is not executed; false: what it answers is replaced.", required=True, values=("true", "false")
)
_FUNCTIONS = ("Functions", "aws:lambda:function")

ACTIONS = (
    Action(
        "aws:lambda:invocation-add-delay",
        "Add a delay to the start of the function's invocations.",
        functools.partial(_inject, _delay),
        {
            "duration": DURATION,
            "invocationPercentage": _SHARE,
            "startupDelayMilliseconds": Parameter("The delay in milliseconds (default 2000)."),
        },
        _FUNCTIONS,
    ),
    Action(
        "aws:lambda:invocation-error",
        "Mark the function's invocations as failed.",
        functools.partial(_inject, _error),
        {"duration": DURATION, "invocationPercentage": _SHARE, "preventExecution": _PREVENT},
        _FUNCTIONS,
    ),
    Action(
        "aws:lambda:invocation-http-integration-response",
        "Give another response to what calls the function over HTTP (API Gateway, ALB, VPC Lattice).",
        functools.partial(_inject, _response),
        {
            "duration": DURATION,
            "invocationPercentage": _SHARE,
            "contentTypeHeader": Parameter("The value of the HTTP content type header.", required=True),
            "preventExecution": _PREVENT,
            "statusCode": Parameter("The HTTP status code, 100 to 599.", required=True),
        },
        _FUNCTIONS,
    ),
)
