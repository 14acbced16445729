"""CloudWatch alarms of one region: evaluates them, and sets off what they are for.

A state lives in the API alone: the evaluator sets it there, and what fires an alarm's actions is the change of state as
the API tells it, so that a state set by hand fires like one that was measured. Every period of the API lasts period /
pace real seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from infra_fixtures.data_plane.cloudwatch.alarm import Alarm, NotEvaluated, read_alarm
from infra_fixtures.data_plane.cloudwatch.evaluation import evaluate, evaluation_range
from infra_fixtures.data_plane.cloudwatch.notification import (
    Transition,
    alarm_message,
    alarm_subject,
    lambda_event,
    sns_event,
)
from infra_fixtures.data_plane.cloudwatch.series import Datum, Series
from infra_fixtures.internal_api.admin import Admin
from infra_fixtures.internal_api.changes import Change
from infra_fixtures.internal_api.clients import call, client
from infra_fixtures.pace import Timer, paced
from infra_fixtures.processes.events import EventLog
from infra_fixtures.run_layout import RunLayout

log = logging.getLogger(__name__)

SETTLE_S = 0.1
"""An evaluation waits this long (real seconds) after a period's end for data still on their way."""
DATA_ONLY = frozenset({"PutMetricData"})
KEPT_S = 600.0
"""Data are kept for this many real seconds at least, for alarms yet to be created."""

Invoke = Callable[[str, bytes], Awaitable[object]]


class Feed(msgspec.Struct, frozen=True):
    """What the control plane's feed of a region answers."""

    last: int
    entries: list[Datum | Transition]


class CloudWatch:
    """A reconciler of `cloudwatch` in one region; use it as an async context manager.

    `invoke` is given a function's ARN and an event, and returns once the function's service has taken it.
    Actions other than SNS topics and Lambda functions are noted in the log and left undone, alarms on expressions and
    composite alarms are not evaluated.
    """

    def __init__(self, layout: RunLayout, region: str, invoke: Invoke) -> None:
        self._layout = layout
        self._region = region
        self._invoke = invoke
        self._admin = Admin(layout)
        self._events = EventLog(Path(layout.work_dir) / f"cloudwatch.{region}.events.jsonl")
        self._series = Series(layout.pace)
        self._alarms: dict[str, Alarm] = {}
        self._states: dict[str, str] = {}
        self._evaluated: dict[str, float] = {}
        self._after = 0
        self._primed = False
        self._reading = asyncio.Lock()
        self._configured = asyncio.Event()
        self._firing: set[asyncio.Task[None]] = set()
        self._unknown: set[str] = set()
        self._parts = contextlib.AsyncExitStack()

    @property
    def services(self) -> frozenset[str]:
        """Reconciles CloudWatch."""
        return frozenset({"cloudwatch"})

    async def __aenter__(self) -> CloudWatch:
        async with contextlib.AsyncExitStack() as parts:
            parts.callback(self._events.close)
            await parts.enter_async_context(self._admin)
            parts.push_async_callback(self._stop_firing)
            evaluating = asyncio.create_task(self._evaluate())
            parts.push_async_callback(_end, evaluating)
            self._parts = parts.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._parts.aclose()

    async def reconcile(self, changes: Sequence[Change]) -> None:
        """Read the alarms where they may have changed, and fire for states that were set."""
        own = [c for c in changes if c.region == self._region and c.action not in DATA_ONLY]
        if changes and not own:
            return
        if all(c.action == "SetAlarmState" for c in own) and own:
            await self._read_feed()
            return
        await self._read_alarms()
        await self._read_feed()

    async def _read_alarms(self) -> None:
        cloudwatch = await call(client, self._layout, "cloudwatch", self._region)
        if not self._primed:  # the first alarm to fire must not wait for it
            await call(client, self._layout, "sns", self._region)
        pages = await call(lambda: list(cloudwatch.get_paginator("describe_alarms").paginate()))
        found = [a for page in pages for a in page.get("MetricAlarms") or ()]
        alarms: dict[str, Alarm] = {}
        for said in found:
            try:
                alarm = read_alarm(said)
            except NotEvaluated as e:
                self._once(str(e))
                continue
            alarms[alarm.name] = alarm
            self._evaluated.setdefault(alarm.name, self._last_boundary(alarm))
        self._alarms = alarms
        self._states = {str(a["AlarmName"]): str(a["StateValue"]) for a in found}
        self._evaluated = {name: at for name, at in self._evaluated.items() if name in alarms}
        self._configured.set()

    async def _read_feed(self) -> None:
        """Take in what was put, and fire for every change of state since the last look."""
        async with self._reading:
            answer = await self._admin.cloudwatch_feed(self._region, self._after)
            feed = msgspec.convert(answer, Feed)
            self._after = feed.last
            changed = [e for e in feed.entries if isinstance(e, Transition)]
            for entry in feed.entries:
                if isinstance(entry, Datum):
                    self._series.add(entry)
            primed, self._primed = self._primed, True
            if not primed:
                return  # what happened before this process was there has had its effect
            if any(t.alarm not in self._alarms for t in changed):
                await self._read_alarms()
            for transition in changed:
                self._fire(transition)

    # evaluation

    async def _evaluate(self) -> None:
        """Evaluate every alarm at the end of each of its steps, until cancelled."""
        while True:
            self._configured.clear()
            due = [a for a in self._alarms.values() if self._last_boundary(a) > self._evaluated[a.name]]
            if due:
                try:
                    await self._read_feed()
                    for alarm in due:
                        await self._decide(alarm)
                except Exception:  # the control plane may be away for a moment; the next step tries again
                    log.exception("alarms of %s could not be evaluated", self._region)
                    await asyncio.sleep(SETTLE_S)
            self._series.forget(time.time() - self._horizon_s())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._until_next_s()):
                    await self._configured.wait()

    async def _decide(self, alarm: Alarm) -> None:
        end = self._last_boundary(alarm)
        self._evaluated[alarm.name] = end
        current = self._states.get(alarm.name)
        if current is None or self._alarms.get(alarm.name) != alarm:
            return  # deleted or changed meanwhile
        points = self._series.points(
            alarm.metric,
            alarm.statistic,
            alarm.unit,
            end=end,
            window_s=self._paced_s(alarm.period_s),
            windows=evaluation_range(alarm),
        )
        decision = evaluate(alarm, points, current)
        if decision.state == current:
            return
        data = {
            "version": "1.0",
            "statistic": alarm.statistic,
            "period": alarm.period_s,
            "recentDatapoints": [p for p in points if p is not None],
            "threshold": alarm.threshold,
        }
        cloudwatch = client(self._layout, "cloudwatch", self._region)
        await call(
            cloudwatch.set_alarm_state,
            AlarmName=alarm.name,
            StateValue=decision.state,
            StateReason=decision.reason[:1023],
            StateReasonData=json.dumps(data),
        )
        await self._read_feed()

    def _last_boundary(self, alarm: Alarm) -> float:
        """The end of the alarm's last step whose data have settled, as a Unix time."""
        step_s = self._paced_s(alarm.step_s)
        return math.floor((time.time() - SETTLE_S) / step_s) * step_s

    def _until_next_s(self) -> float | None:
        """Seconds until an alarm is due; None where there are no alarms."""
        due = [at + self._paced_s(self._alarms[name].step_s) for name, at in self._evaluated.items()]
        # A hair more, so that rounding never wakes it just before.
        return max(0.0, min(due) + SETTLE_S + 0.001 - time.time()) if due else None

    def _horizon_s(self) -> float:
        needed = [self._paced_s(a.period_s * (evaluation_range(a) + 1)) for a in self._alarms.values()]
        return max(KEPT_S, *needed) if needed else KEPT_S

    def _paced_s(self, aws_s: float) -> float:
        return paced(self._layout.pace, Timer.ALARM_PERIOD, aws_s)

    # actions

    def _fire(self, transition: Transition) -> None:
        """Note a change of state and set off its actions, in the background."""
        self._states[transition.alarm] = transition.new
        self._events.record("alarm.state", transition.alarm, transition.new)
        alarm = self._alarms.get(transition.alarm)
        if alarm is None or not alarm.actions_enabled:
            return
        for action in alarm.actions_for(transition.new):
            task = asyncio.create_task(self._act(action, alarm, transition))
            self._firing.add(task)
            task.add_done_callback(self._firing.discard)

    async def _act(self, action: str, alarm: Alarm, transition: Transition) -> None:
        service = action.split(":")[2] if action.count(":") >= 5 else ""
        try:
            if service == "sns":
                await self._publish(action, alarm, transition)
            elif service == "lambda":
                await self._call(action, lambda_event(alarm, transition, self._region), alarm.name)
            else:
                self._once(f"the action {action} of alarm {alarm.name} is not carried out here")
        except Exception:  # an action that fails must not take the evaluator with it
            log.exception("the action %s of alarm %s failed", action, alarm.name)

    async def _publish(self, topic: str, alarm: Alarm, transition: Transition) -> None:
        """Deliver an alarm's message to the functions subscribed to its topic."""
        sns = client(self._layout, "sns", self._region)
        paginator = sns.get_paginator("list_subscriptions_by_topic")
        pages = await call(lambda: list(paginator.paginate(TopicArn=topic)))
        subject = alarm_subject(transition, self._region)
        message = json.dumps(alarm_message(alarm, transition, self._region))
        subscriptions: list[dict[str, Any]] = [s for page in pages for s in page["Subscriptions"]]
        calls = [
            self._call(
                s["Endpoint"],
                sns_event(topic, s["SubscriptionArn"], subject, message, time.time()),
                alarm.name,
            )
            for s in subscriptions
            if s["Protocol"] == "lambda"
        ]
        for other in {s["Protocol"] for s in subscriptions} - {"lambda"}:
            self._once(f"subscriptions of {topic} by {other} get nothing here")
        await asyncio.gather(*calls)

    async def _call(self, function: str, event: bytes, alarm: str) -> None:
        self._events.record("controller.invoked", function.rpartition(":function:")[2] or function, alarm)
        await self._invoke(function, event)

    async def _stop_firing(self) -> None:
        for task in list(self._firing):
            await _end(task)

    def _once(self, words: str) -> None:
        if words not in self._unknown:
            self._unknown.add(words)
            log.warning("%s", words)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
