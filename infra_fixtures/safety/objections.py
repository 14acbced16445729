"""What forbids a game day at this moment, looked at before anything is changed: a sentence for each, none where all is well.

Nothing here changes anything. What stands still may be planned: with --dry-run the sentences are part of the plan.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra_fixtures.global_services import GLOBAL
from infra_fixtures.safety.caller import Caller
from infra_fixtures.safety.scope import Scope
from infra_fixtures.safety.stop_conditions import Alarm

LEVER = "default"
"""Every account has one safety lever a region, of this id (https://docs.aws.amazon.com/fis/latest/userguide/safety-lever.html)."""
Clients = Callable[[str, str | None], Any]


def window_objections(scope: Scope, now: dt.datetime, lasts_s: float) -> Iterator[str]:
    """A window is open, and stays so for as long as the drill is estimated to take."""
    windows = "; ".join(map(str, scope.windows))
    closes = scope.closes(now)
    if closes is None:
        if scope.windows:
            yield f"no window is open ({windows}): wait for one, or have another one approved"
        return
    left_s = (closes - now).total_seconds()
    if left_s < lasts_s:
        yield (
            f"the window closes in {left_s:.0f} s, at {closes:%Y-%m-%d %H:%M:%S} UTC, and the drill is estimated to take "
            f"{lasts_s:.0f} s: begin earlier in a window, or have a longer one approved"
        )


def credential_objections(caller: Caller, now: dt.datetime, lasts_s: float) -> Iterator[str]:
    """Credentials last until everything is healed."""
    if caller.ends is None:
        return
    left_s = (caller.ends - now).total_seconds()
    if left_s < lasts_s:
        yield (
            f"the AWS credentials end in {left_s:.0f} s, and the drill is estimated to take {lasts_s:.0f} s: sign in again, "
            "so that what it breaks can be healed"
        )


def alarm_objections(client: Clients, alarms: Sequence[Alarm]) -> Iterator[str]:
    """Every alarm that is to end the drill is there, and is OK: only then can it warn of anything."""
    for alarm in alarms:
        where = f"the alarm {alarm.name} in {alarm.region}, which is to end the drill,"
        try:
            found = client("cloudwatch", alarm.region).describe_alarms(
                AlarmNames=[alarm.name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
        except (BotoCoreError, ClientError) as e:
            yield f"{where} cannot be read ({e}): allow cloudwatch:DescribeAlarms"
            continue
        both = [*found.get("MetricAlarms", ()), *found.get("CompositeAlarms", ())]
        state = str(both[0]["StateValue"]) if both else ""
        if not both:
            yield f"{where} is not there: name one that is"
        elif state == "ALARM":
            yield f"{where} is in ALARM already ({both[0].get('StateReason') or 'no reason given'}): see to that first"
        elif state != "OK":
            yield f"{where} is in {state}, so that nobody knows whether it would warn: wait until it is OK"


def lever_objections(client: Clients, regions: frozenset[str], unknown: list[str]) -> Iterator[str]:
    """Nobody has pulled the safety lever of FIS, with which an account stops every experiment.

    Where it cannot be asked, that is added to `unknown`: a service may not be in a region, or not be allowed.
    """
    for region in sorted(regions - {GLOBAL}):
        try:
            sentence = engaged(client("fis", region), region)
        except (BotoCoreError, ClientError) as e:
            unknown.append(f"whether the safety lever of FIS in {region} is engaged ({_short(e)})")
            continue
        if sentence:
            yield sentence


def engaged(fis: Any, region: str) -> str:
    """The sentence that says that the safety lever of a region is engaged; "" where it is not. Raises what FIS answers."""
    state = fis.get_safety_lever(id=LEVER)["safetyLever"]["state"]
    if state["status"] == "disengaged":
        return ""
    return (
        f"the safety lever of FIS in {region} is {state['status']} ({state.get('reason') or 'no reason given'}): whoever "
        "engaged it must disengage it"
    )


def _short(error: Exception) -> str:
    if isinstance(error, ClientError):
        return str(error.response["Error"]["Code"])
    return type(error).__name__
