"""EventBridge rules on a schedule, of one region: rate(...) on the default bus, with Lambda functions as targets.

A rate runs at the pace of the run: rate(1 minute) at pace 10 is every six seconds, the first a period after the rule was
made. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from infra_fixtures.data_plane.follow import Change, call, client
from infra_fixtures.site import Site

log = logging.getLogger(__name__)

RESUMED_S = 0.2
"""Real seconds to the next run of a rule that was there before this process, which knows nothing of its earlier runs."""
UNITS_S = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")

Invoke = Callable[[str, bytes], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Target:
    """A function, and the constant input it is given instead of the event (None: the event)."""

    id: str
    function: str
    constant: str | None


@dataclass(frozen=True, slots=True)
class Rule:
    """An enabled rule that runs every `every_s` seconds as the API has it (unpaced)."""

    name: str
    arn: str
    every_s: float
    targets: tuple[Target, ...]


def rate_s(expression: str) -> float | None:
    """The seconds of a rate expression; None where it is none."""
    found = _RATE.fullmatch(expression)
    return int(found[1]) * UNITS_S[found[2]] if found else None


def scheduled_event(rule: Rule, region: str, account: str) -> bytes:
    """The event of a run: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events.html."""
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [rule.arn],
        "detail": {},
    }
    return json.dumps(event).encode()


@dataclass(slots=True)
class _Running:
    rule: Rule
    task: asyncio.Task[None]


class EventBridge:
    """A follower of `events` in one region; use it as an async context manager.

    `invoke` is given a function's ARN and an event; a run does not wait for the one before. Cron expressions, event
    patterns, other targets and input transformers are noted in the log and left undone.
    """

    def __init__(self, site: Site, region: str, invoke: Invoke) -> None:
        self._site = site
        self._region = region
        self._invoke = invoke
        self._running: dict[str, _Running] = {}
        self._looked = False
        self._invocations: set[asyncio.Task[None]] = set()
        self._unknown: set[str] = set()

    @property
    def services(self) -> frozenset[str]:
        """Follows EventBridge."""
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
        resumed, self._looked = not self._looked, True
        for name, running in list(self._running.items()):
            rule = rules.get(name)
            if rule is None or rule.every_s != running.rule.every_s:
                running.task.cancel()
                del self._running[name]
            else:
                running.rule = rule  # other targets do not shift the schedule
        for name, rule in rules.items():
            if name not in self._running:
                period_s = rule.every_s / self._site.pace
                runs = self._run(name, period_s, first_s=RESUMED_S if resumed else period_s)
                self._running[name] = _Running(rule, asyncio.create_task(runs))

    def _read(self) -> list[Rule]:
        events = client(self._site, "events", self._region)
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
            event = scheduled_event(rule, self._region, self._site.account_id)
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
