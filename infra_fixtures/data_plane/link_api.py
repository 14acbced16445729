"""The global process's control API for links: which link a path names, and what is done to its rules.

PUT    /links/{scope}/{link}/rules/{rule}   the body is a rule (link_rule.LinkRule); one of that name is replaced
DELETE /links/{scope}/{link}/rules/{rule}   the rest stay in force; 200 also where it is not there
POST   /links/{scope}/{link}/reset          RST to both ends of every open connection, once: "connections" says how many

`scope` is a region and `link` one of its own: edge, upstream (its end of the replication link), writer, reader, egress.
Or it is `replication` and `link` `both`: the upstream links of both regions. All answer {"began_ns", "ended_ns"}, in
time.monotonic_ns(). A rule on writer, reader or egress, which the region's process carries, outlives that process;
while it is down or frozen, putting one is refused (503), and taking one away succeeds, with "pending" where it waits
for a thaw.
"""

from __future__ import annotations

import time

from aiohttp import web

from infra_fixtures.data_plane.control_answers import Refused, stamped
from infra_fixtures.data_plane.network.conditions import read_identity, read_rule
from infra_fixtures.data_plane.network.control import INNER
from infra_fixtures.data_plane.network.link import Link
from infra_fixtures.data_plane.region_manager import RegionManager
from infra_fixtures.powers import REPLICATION, LinkName
from infra_fixtures.processes.supervisor import Span


class LinkApi:
    """The handlers; `regions` hold the links."""

    def __init__(self, regions: RegionManager) -> None:
        self._regions = regions

    async def put(self, request: web.Request) -> web.Response:
        """Put a rule on."""
        identity = read_identity(request.match_info["rule"])
        own, region, link = self._named(request)
        rule = read_rule(await request.read())
        began = time.monotonic_ns()
        for one in own:
            one.put_rule(identity, rule)
        if not own:
            await self._regions.inner.put_rule(region, link, identity, rule)
        return stamped(Span(began, time.monotonic_ns()))

    async def delete(self, request: web.Request) -> web.Response:
        """Take a rule off."""
        identity = read_identity(request.match_info["rule"])
        own, region, link = self._named(request)
        began = time.monotonic_ns()
        for one in own:
            one.remove_rule(identity)
        pending = "" if own else await self._regions.inner.remove_rule(region, link, identity)
        return stamped(Span(began, time.monotonic_ns()), **({"pending": pending} if pending else {}))

    async def reset(self, request: web.Request) -> web.Response:
        """Reset what is open."""
        own, region, link = self._named(request)
        began = time.monotonic_ns()
        count = sum(one.reset() for one in own) if own else await self._regions.inner.reset(region, link)
        return stamped(Span(began, time.monotonic_ns()), connections=count)

    def _named(self, request: web.Request) -> tuple[tuple[Link, ...], str, str]:
        """The global process's own links that a path names, or none where the region's process carries it; its region
        and name."""
        scope, link = request.match_info["scope"], request.match_info["link"]
        if LinkName(scope, link) == REPLICATION:
            return tuple(self._regions.upstreams.values()), "", link
        names = list(self._regions.edges)
        if scope not in names:
            between = f"{REPLICATION.scope}/{REPLICATION.link}"
            raise Refused(404, f"{scope}/{link} is no link of this run: name {', '.join(names)} or {between}")
        own = {"edge": self._regions.edges, "upstream": self._regions.upstreams}
        if link in own:
            return (own[link][scope],), scope, link
        if link not in INNER:
            raise Refused(404, f"{link} is no link of {scope}: they are {', '.join((*own, *INNER))}")
        return (), scope, link
