"""aws:cloudwatch:assert-alarm-state: at most five alarms, each in one of the states that were named; else the action fails.

https://docs.aws.amazon.com/fis/latest/userguide/fis-actions-reference.html#cloudwatch-actions-reference
"""

from __future__ import annotations

from infra_fixtures.control_plane.fis.actions.action import Acting, Action, ActionFailed, Parameter

MOST = 5
STATES = frozenset({"OK", "ALARM", "INSUFFICIENT_DATA"})


async def _assert(acting: Acting) -> None:
    arns = [a.strip() for a in acting.parameters["alarmArns"].split(",") if a.strip()]
    wanted = {s.strip() for s in acting.parameters["alarmStates"].split(",") if s.strip()}
    if not 0 < len(arns) <= MOST:
        raise ActionFailed(f"{len(arns)} alarms were given; there may be up to {MOST}.")
    if not wanted or wanted - STATES:
        raise ActionFailed(f"{acting.parameters['alarmStates']} are not states of alarms: {', '.join(sorted(STATES))}.")
    names = [arn.rpartition(":alarm:")[2] for arn in arns]
    said = await acting.caller.do("cloudwatch", "describe_alarms", AlarmNames=names)
    states = {a["AlarmArn"]: a["StateValue"] for a in (*said["MetricAlarms"], *said.get("CompositeAlarms", ()))}
    for arn in arns:
        if arn not in states:
            raise ActionFailed(f"The alarm {arn} does not exist.")
        if states[arn] not in wanted:
            raise ActionFailed(f"The alarm {arn} is {states[arn]}, not {' or '.join(sorted(wanted))}.")


ACTIONS = (
    Action(
        "aws:cloudwatch:assert-alarm-state",
        "Verify that the specified alarms are in one of the specified alarm states.",
        _assert,
        {
            "alarmArns": Parameter("The ARNs of the alarms, separated by commas. Up to five.", required=True),
            "alarmStates": Parameter(
                "The alarm states, separated by commas: OK, ALARM, INSUFFICIENT_DATA.", required=True
            ),
        },
    ),
)
