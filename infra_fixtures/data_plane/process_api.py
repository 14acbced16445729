"""The global process's control API for processes: kill, stop, freeze, thaw and restore them, by role and availability zone.

POST /regions/{region}/processes/{role}/{action}[?az=ZONE]   {"began_ns", "ended_ns", "touched": [...]}

Roles: `database` (the Aurora node, in the zone of its cluster's writer instance), `functions` (the Lambda workers, in the
zones of their functions' subnets), `region` (the region's own process: API Gateway, Lambda service and its workers, alarms,
the links inside; in no zone), `all` (every process of the region; with `az` the database and the functions of that zone).
Links that cross the region's border and its AWS API are left alone: they go with POST /regions/{region}/lose.

`touched` names each process: role, az, name, pid, and of a database how it was mended. kill, stop and freeze that would
touch none are refused (409), as is a zone that is none of the region's (404); thaw and restore touch what there is to
mend, which may be nothing.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
from aiohttp import web

from infra_fixtures.data_plane.aurora.manager import AuroraManager
from infra_fixtures.data_plane.aurora.node import PROCESS as DATABASE_PROCESS
from infra_fixtures.data_plane.aurora.node import NodeFailure
from infra_fixtures.data_plane.control_answers import Refused, stamped
from infra_fixtures.data_plane.region_manager import PROCESS as REGION_PROCESS
from infra_fixtures.data_plane.region_manager import RegionManager
from infra_fixtures.internal_api import clients
from infra_fixtures.internal_api.listening import control_address
from infra_fixtures.powers import Harm, Role
from infra_fixtures.processes.supervisor import Span, Supervisor
from infra_fixtures.run_layout import RunLayout

THAW, RESTORE = "thaw", "restore"
FUNCTIONS_LIMIT_S = 10.0

Touched = list[dict[str, Any]]


class ProcessApi:
    """The handler, and what it steers."""

    def __init__(
        self,
        layout: RunLayout,
        supervisor: Supervisor,
        regions: RegionManager,
        aurora: AuroraManager,
        session: aiohttp.ClientSession,
    ) -> None:
        self._layout = layout
        self._supervisor = supervisor
        self._regions = regions
        self._aurora = aurora
        self._session = session

    async def act(self, request: web.Request) -> web.Response:
        """Do it, or refuse it in a sentence."""
        region, action, zone = request.match_info["region"], request.match_info["action"], request.query.get("az")
        self._require_region(region)
        role = _role(request.match_info["role"])
        harm = _harm(action)
        if zone is not None:
            await self._require_zone(region, role, zone)
        if harm is not None:
            span, touched = await self._break(region, role, harm, zone)
        else:
            span, touched = await self._recover(region, role, zone, restore=action == RESTORE)
        return stamped(span, touched=touched)

    async def revive_database(self, region: str) -> str:
        """Start a region's dead node in the role it has now; how it went. Refused where it cannot."""
        try:
            return await self._aurora.rejoin(region)
        except NodeFailure as e:
            raise Refused(409, str(e)) from e

    def _require_region(self, region: str) -> None:
        names = list(self._regions.edges)
        if region not in names:
            raise Refused(404, f"{region} is no region of this run: they are {', '.join(names)}")

    async def _require_zone(self, region: str, role: Role, zone: str) -> None:
        if role is Role.REGION:
            raise Refused(409, f"the process of {region} is in no availability zone: leave az out")
        ec2 = await clients.call(clients.client, self._layout, "ec2", region)
        known = [z["ZoneName"] for z in (await clients.call(ec2.describe_availability_zones))["AvailabilityZones"]]
        if zone not in known:
            raise Refused(404, f"{zone} is no availability zone of {region}: they are {', '.join(known)}")

    async def _break(self, region: str, role: Role, harm: Harm, zone: str | None) -> tuple[Span, Touched]:
        """Touch at least one process, or refuse."""
        if role is Role.FUNCTIONS:
            span, touched = await self._functions(region, harm, zone)
        elif role is Role.ALL and zone is not None:
            began = time.monotonic_ns()
            touched = []
            if self._database(region, zone):
                touched += (await self._break(region, Role.DATABASE, harm, zone))[1]
            if self._regions.alive(region):
                touched += (await self._functions(region, harm, zone))[1]
            span = Span(began, time.monotonic_ns())
        else:
            touched = self._own(region, role, zone)
            span = await self._supervised(region, role, harm) if touched else Span(0, 0)
        if not touched:
            raise Refused(409, await self._why_none(region, role, zone))
        return span, touched

    async def _supervised(self, region: str, role: Role, harm: Harm) -> Span:
        name = {Role.DATABASE: DATABASE_PROCESS, Role.REGION: REGION_PROCESS, Role.ALL: None}[role]
        match harm:
            case Harm.KILL:
                return await self._supervisor.kill(region, name)
            case Harm.STOP:
                return await self._supervisor.stop(region, name)
            case Harm.FREEZE:
                return self._supervisor.freeze(region, name)

    async def _recover(self, region: str, role: Role, zone: str | None, *, restore: bool) -> tuple[Span, Touched]:
        """Touch what there is to mend.

        A thaw undoes the freeze of the same role and zone and no other; a restore undoes all of them and starts what is
        dead. In a region that is lost nothing is started: it all comes back with the region.
        """
        began = time.monotonic_ns()
        touched: Touched = []
        if role is Role.ALL and zone is None:
            self._supervisor.thaw(region)
            await self._aurora.thawed(region)
            if not restore:
                return Span(began, time.monotonic_ns()), self._own(region, Role.ALL, None)
        if role in (Role.REGION, Role.ALL) and zone is None:
            self._supervisor.thaw(region, REGION_PROCESS)
            if restore and region not in self._regions.lost:
                await self._regions.revive(region)
            touched += self._own(region, Role.REGION, None)
        if role in (Role.FUNCTIONS, Role.ALL) and self._regions.alive(region):
            touched += (await self._functions(region, THAW, zone))[1]
        if role in (Role.DATABASE, Role.ALL) and zone in (None, self._aurora.zone(region)):
            self._supervisor.thaw(region, DATABASE_PROCESS)
            how = "thawed"
            if restore and region not in self._regions.lost and not self._database(region, zone):
                how = await self.revive_database(region)
            touched += [{**process, "how": how} for process in self._database(region, zone)]
        return Span(began, time.monotonic_ns()), touched

    async def _functions(self, region: str, action: str, zone: str | None) -> tuple[Span, Touched]:
        """Have the region's process act on its workers."""
        url = f"{control_address(self._layout.region(region)).url}/functions/{action}"
        await self._regions.inner.require_answer(region)
        began = time.monotonic_ns()
        try:
            async with (
                asyncio.timeout(FUNCTIONS_LIMIT_S),
                self._session.post(url, params={} if zone is None else {"az": zone}) as response,
            ):
                answer = await response.json()
        except (aiohttp.ClientError, OSError, TimeoutError):
            raise Refused(503, f"the process of {region}, which runs its functions, does not answer") from None
        if response.status != 200:
            raise Refused(response.status, answer["error"])
        return Span(began, time.monotonic_ns()), answer["touched"]

    def _own(self, region: str, role: Role, zone: str | None) -> Touched:
        """The living processes of a role that the supervisor started."""
        if role is Role.DATABASE:
            return self._database(region, zone)
        return [
            {"role": Role.DATABASE, "az": self._aurora.zone(region), "name": p.name, "pid": p.pid}
            if p.name == DATABASE_PROCESS
            else {"role": Role.REGION, "az": "", "name": p.name, "pid": p.pid}
            for p in self._supervisor.processes()
            if p.region == region and p.alive and (role is Role.ALL or p.name == REGION_PROCESS)
        ]

    def _database(self, region: str, zone: str | None) -> Touched:
        process, own = self._supervisor.process(region, DATABASE_PROCESS), self._aurora.zone(region)
        if process is None or not process.alive or zone not in (None, own):
            return []
        return [{"role": Role.DATABASE, "az": own, "name": process.name, "pid": process.pid}]

    async def _why_none(self, region: str, role: Role, zone: str | None) -> str:
        """Where the processes of a role are, if not there."""
        held: Touched = []
        if role in (Role.DATABASE, Role.ALL):
            held += self._database(region, None)
        if role in (Role.FUNCTIONS, Role.ALL):
            held += (await self._regions.inner.state(region)).get("functions", [])
        zones = sorted({p["az"] or "no zone" for p in held})
        what = "process" if role is Role.ALL else f"{role} process"
        where = f"in {zone} of {region}" if zone is not None else f"in {region}"
        return f"no {what} runs {where}" + (f": they are in {', '.join(zones)}" if zones else "")


def _role(name: str) -> Role:
    if name not in tuple(Role):
        raise Refused(404, f"{name} is no role of a process: they are {', '.join(Role)}")
    return Role(name)


def _harm(action: str) -> Harm | None:
    """What is done to a process; None where it is mended."""
    known = (*Harm, THAW, RESTORE)
    if action not in known:
        raise Refused(404, f"a process cannot {action}: it can {', '.join(known)}")
    return None if action in (THAW, RESTORE) else Harm(action)
