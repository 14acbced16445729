"""EventBridge rules on a schedule, of one region: rate(...) on the default bus, with Lambda functions as targets.

A rate runs at the pace of the run: rate(1 minute) at pace 10 is every six seconds, the first a period after the rule was
made. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra_fixtures.data_plane.eventbridge.rules import Rule, Target, rate_s, scheduled_event
from infra_fixtures.internal_api.changes import Change
from infra_fixtures.internal_api.clients import call, client
from infra_fixtures.pace import Timer, paced
from infra_fixtures.run_layout import RunLayout

log = logging.getLogger(__name__)

RESUMED_S = 0.2
"""Real seconds to the next run of a rule that was there before this process, which knows nothing of its earlier runs."""

Invoke = Callable[[str, bytes], Awaitable[object]]


@dataclass(slots=True)
class _Running:
    rule: Rule
    task: asyncio.Task[None]


class EventBridge:
    """A reconciler of `events` in one region; use it as an async context manager.

    `invoke` is given a function's ARN and an event; a run does not wait for the one before. Cron expressions, event
    patterns, other targets and input transformers are noted in the log and left undone.
    """

    def __init__(self, layout: RunLayout, region: str, invoke: Invoke) -> None:
        self._layout = layout
        self._region = region
        self._invoke = invoke
        self._running: dict[str, _Running] = {}
        self._reconciled = False
        self._invocations: set[asyncio.Task[None]] = set()
        self._unknown: set[str] = set()

    @property
    def services(self) -> frozenset[str]:
        """Reconciles EventBridge."""
        return frozenset({"events"})

    async def __aenter__(self) -> EventBridge:
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [r.task for r in self._running.values()] + list(self._invocations)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running.clear()

    async def reconcile(self, changes: Sequence[Change]) -> None:
        """Read the rules and run those that are enabled and have a target; a run under way is not stopped."""
        if changes and not any(c.region == self._region for c in changes):
            return
        rules = {r.name: r for r in await call(self._read)}
        resumed, self._reconciled = not self._reconciled, True
        for name, running in list(self._running.items()):
            rule = rules.get(name)
            if rule is None or rule.every_s != running.rule.every_s:
                running.task.cancel()
                del self._running[name]
            else:
                running.rule = rule  # other targets do not shift the schedule
        for name, rule in rules.items():
            if name not in self._running:
                period_s = paced(self._layout.pace, Timer.SCHEDULE_RATE, rule.every_s)
                runs = self._run(name, period_s, first_s=RESUMED_S if resumed else period_s)
                self._running[name] = _Running(rule, asyncio.create_task(runs))

    def _read(self) -> list[Rule]:
        events = client(self._layout, "events", self._region)
        rules = []
        for page in events.get_paginator("list_rules").paginate():
            for found in page["Rules"]:
                if found.get("State") == "DISABLED":
                    continue
                every_s = rate_s(str(found.get("ScheduleExpression") or ""))
                if every_s is None:
                    self._once(f"rule {found['Name']} is on no rate(...): it does not run here")
                    continue
                pages = events.get_paginator("list_targets_by_rule").paginate(Rule=found["Name"])
                targets = [t for p in pages for t in p["Targets"]]
                known = tuple(t for t in (self._target(found["Name"], t) for t in targets) if t is not None)
                if known:
                    rules.append(Rule(str(found["Name"]), str(found["Arn"]), every_s, known))
        return rules

    def _target(self, rule: str, found: Mapping[str, Any]) -> Target | None:
        arn = str(found["Arn"])
        if ":lambda:" not in arn or found.get("InputTransformer") or found.get("InputPath"):
            self._once(f"target {found['Id']} of rule {rule} is no plain Lambda target: it gets nothing here")
            return None
        return Target(str(found["Id"]), arn, found.get("Input"))

    async def _run(self, name: str, period_s: float, first_s: float) -> None:
        """Run a rule on a fixed grid until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time() + first_s
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            rule = self._running[name].rule
            event = scheduled_event(rule, self._region, self._layout.account_id)
            for target in rule.targets:
                payload = event if target.constant is None else target.constant.encode()
                task = asyncio.create_task(self._call(rule.name, target.function, payload))
                self._invocations.add(task)
                task.add_done_callback(self._invocations.discard)
            due += period_s

    async def _call(self, rule: str, function: str, payload: bytes) -> None:
        try:
            await self._invoke(function, payload)
        except Exception:  # a target that fails must not stop the rule
            log.exception("rule %s could not invoke %s", rule, function)

    def _once(self, words: str) -> None:
        if words not in self._unknown:
            self._unknown.add(words)
            log.warning("%s", words)
