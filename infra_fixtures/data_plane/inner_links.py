"""The links inside the regions as the global process knows them: it keeps their rules and the writer's role, their
process obeys.

A region's process is told before it opens its links, so that a new one has every rule from its first connection on. A rule
is put only where the process takes it: while it is down or frozen its links carry nothing that a rule could bite, and the
stamps would be untrue. Taking one away always succeeds: a process that does not answer is told as soon as it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import msgspec

from infra_fixtures.data_plane.control_answers import Refused
from infra_fixtures.data_plane.network.control import INNER, LinksOrder
from infra_fixtures.internal_api.listening import control_address
from infra_fixtures.link_rule import LinkRule
from infra_fixtures.run_layout import RunLayout

PUSH_LIMIT_S = 0.5
"""A region that does not take an order in this time is frozen or gone; the order is repeated until it is taken."""
PUT_LIMIT_S = 2.0
"""How long somebody waits who has something done: a busy region is no frozen one."""
GREET_EVERY_S = 0.02
PUSH_AGAIN_S = 0.2


class InnerLinks:
    """`alive` says whether a region's process lives, `aside` runs something that nobody waits for."""

    def __init__(
        self,
        layout: RunLayout,
        session: aiohttp.ClientSession,
        alive: Callable[[str], bool],
        aside: Callable[[Any], None],
    ) -> None:
        self._layout = layout
        self._session = session
        self._alive = alive
        self._in_background = aside
        self._rules: dict[str, dict[str, dict[str, LinkRule]]] = {
            r.name: {n: {} for n in INNER} for r in layout.regions
        }
        self._writer_active = {r.name: False for r in layout.regions}
        self._number = 0

    async def put_rule(self, region: str, link: str, identity: str, rule: LinkRule) -> None:
        """Put a rule on a link of a region; Refused where its process does not take it."""
        rules = self._rules[region][link]
        before = rules.get(identity)
        rules[identity] = rule
        if await self._push(region, PUT_LIMIT_S):
            return
        if before is None:
            rules.pop(identity, None)
        else:
            rules[identity] = before
        self._tell_later(region)  # it may have read the order and not answered
        raise Refused(503, f"the rule is not in force: {self._why_silent(region)}")

    async def remove_rule(self, region: str, link: str, identity: str) -> str:
        """Take a rule off; empty once it is off, else a sentence that says what that waits for."""
        if self._rules[region][link].pop(identity, None) is None or not self._alive(region):
            return ""
        if await self._push(region, PUT_LIMIT_S):
            return ""
        self._tell_later(region)
        return f"the rule goes when the process goes on: {self._why_silent(region)}"

    async def reset(self, region: str, link: str) -> int:
        """Reset the open connections of a link; how many. Refused where the region's process does not answer."""
        url = f"{self._control(region)}/links/{link}/reset"
        await self.require_answer(region)
        try:
            async with asyncio.timeout(PUT_LIMIT_S), self._session.post(url) as response:
                return int((await response.json())["connections"])
        except (aiohttp.ClientError, OSError, TimeoutError):
            raise Refused(503, f"nothing was reset: {self._why_silent(region)}") from None

    async def set_writer_active(self, region: str, active: bool) -> None:
        """Give the writer's endpoint a role or take it; a region that cannot be told is told later."""
        self._writer_active[region] = active
        if not await self._push(region, PUSH_LIMIT_S):
            self._tell_later(region)

    async def greet(self, region: str) -> None:
        """Tell a new process all there is, as soon as it can be told; return early where it dies."""
        await self._push_until_taken(region, GREET_EVERY_S)

    async def require_answer(self, region: str) -> None:
        """Refused where a region's process does not answer: asked to do something, it would do so when it goes on."""
        if not await self.state(region, PUT_LIMIT_S):
            raise Refused(503, f"nothing was done: {self._why_silent(region)}")

    async def state(self, region: str, limit_s: float = PUSH_LIMIT_S) -> Mapping[str, Any]:
        """What a region's process says of its links and functions; empty where it does not answer."""
        try:
            async with asyncio.timeout(limit_s), self._session.get(self._control(region) + "/state") as response:
                state: dict[str, Any] = await response.json()
                return state
        except (aiohttp.ClientError, OSError, TimeoutError):
            return {}

    async def _push(self, region: str, limit_s: float) -> bool:
        """Send the present state; whether it was taken."""
        self._number += 1
        order = LinksOrder(self._number, self._writer_active[region], self._rules[region])
        body = msgspec.json.encode(order)
        try:
            async with (
                asyncio.timeout(limit_s),
                self._session.put(self._control(region) + "/links", data=body) as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    def _tell_later(self, region: str) -> None:
        self._in_background(self._push_until_taken(region, PUSH_AGAIN_S))

    async def _push_until_taken(self, region: str, every_s: float) -> None:
        while not await self._push(region, PUSH_LIMIT_S):
            if not self._alive(region):
                return  # a new one is told when it is greeted
            await asyncio.sleep(every_s)

    def _why_silent(self, region: str) -> str:
        if not self._alive(region):
            return f"the process of {region} is down; restore it first"
        return f"the process of {region} does not answer; thaw it first if it is frozen"

    def _control(self, region: str) -> str:
        return control_address(self._layout.region(region)).url
