"""Health checkers: several a health check, each on its own clock and with its own opinion.

Route 53 has some fifteen checkers at work on an endpoint, uncoordinated; here are three, their phases drawn at random.
A checker asks again one interval after it had its answer (API_HealthCheckConfig, RequestInterval), and changes its mind
after FailureThreshold answers in a row that say otherwise. New health checks count as healthy until then.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp

from infra_fixtures.data_plane.route53.endpoint_probe import EndpointProbe
from infra_fixtures.data_plane.route53.health import Endpoint, HealthCheck
from infra_fixtures.internal_api.admin import Admin, AdminRefused
from infra_fixtures.pace import Timer, paced

log = logging.getLogger(__name__)

CHECKERS = 3
CHECKER_LOCATIONS = (
    ("us-east-1", "15.177.2.11"),
    ("eu-west-1", "15.177.10.23"),
    ("ap-southeast-1", "15.177.34.7"),
    ("us-west-2", "15.177.26.31"),
    ("us-west-1", "15.177.22.19"),
    ("sa-east-1", "15.177.42.5"),
    ("ap-northeast-1", "15.177.14.3"),
    ("ap-southeast-2", "15.177.38.17"),
)
"""Where AWS's checkers are, each with an address from its range: shown in GetHealthCheckStatus and used for nothing."""


@dataclass(slots=True)
class Checker:
    """One checker of one endpoint: what it last saw, and what it makes of all it saw."""

    region: str
    ip: str
    healthy: bool = True
    against: int = 0
    """How many answers in a row contradict `healthy`."""
    status: str = ""
    checked_at: str = ""

    def saw(self, status: str, threshold: int) -> bool:
        """Take a look into account; whether the checker changed its mind."""
        self.status = status
        self.checked_at = datetime.now(UTC).isoformat()
        if status.startswith("Success") == self.healthy:
            self.against = 0
            return False
        self.against += 1
        if self.against < threshold:
            return False
        self.healthy, self.against = not self.healthy, 0
        return True


@dataclass(slots=True)
class _Watch:
    endpoint: Endpoint
    checkers: tuple[Checker, ...]
    tasks: tuple[asyncio.Task[None], ...]
    reported_at: float = 0.0


class Checkers:
    """All checkers of a run. `opinion` is told a health check's votes whenever one of its checkers changes its mind."""

    def __init__(
        self,
        probe: EndpointProbe,
        admin: Admin,
        opinion: Callable[[str, list[bool]], None],
        pace: float,
        seed: str,
    ) -> None:
        self._probe = probe
        self._admin = admin
        self._opinion = opinion
        self._pace = pace
        self._seed = seed
        self._watches: dict[str, _Watch] = {}
        self._unreported: dict[str, None] = {}
        self._something = asyncio.Event()

    def watch(self, checks: Iterable[HealthCheck]) -> None:
        """Look at the endpoints of these health checks from now on, and at no others.

        A check whose endpoint changed begins anew, keeping its checkers' opinions; a disabled one is not looked at.
        """
        desired = {c.id: c.endpoint for c in checks if c.endpoint is not None and not c.disabled}
        for check_id, watch in list(self._watches.items()):
            if desired.get(check_id) != watch.endpoint:
                self._end(watch)
                del self._watches[check_id]
                if check_id in desired:
                    self._begin(check_id, desired[check_id], watch.checkers)
        for check_id, endpoint in desired.items():
            if check_id not in self._watches:
                self._begin(check_id, endpoint, ())

    def votes(self, check_id: str) -> list[bool]:
        """What the checkers of a health check say now."""
        watch = self._watches.get(check_id)
        return [c.healthy for c in watch.checkers] if watch is not None else []

    def last_failure(self, check_id: str) -> str:
        """The reason one of the checkers last gave for a failure; empty where all succeed."""
        watch = self._watches.get(check_id)
        return next((c.status for c in watch.checkers if c.status.startswith("Failure")), "") if watch else ""

    async def report(self) -> None:
        """Tell the API what the checkers see, until cancelled: at once where it changed, else once an interval."""
        while True:
            await self._something.wait()
            self._something.clear()
            unreported, self._unreported = self._unreported, {}
            for check_id in unreported:
                watch = self._watches.get(check_id)
                if watch is None:
                    continue
                watch.reported_at = asyncio.get_running_loop().time()
                try:
                    await self._admin.observe_health_check(check_id, _observations(watch.checkers))
                except (aiohttp.ClientError, OSError, TimeoutError, AdminRefused) as e:
                    log.warning("health check %s not reported: %s", check_id, e)

    async def close(self) -> None:
        """End all checkers."""
        tasks = [t for watch in self._watches.values() for t in watch.tasks]
        for watch in self._watches.values():
            self._end(watch)
        self._watches.clear()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, check_id: str, endpoint: Endpoint, before: tuple[Checker, ...]) -> None:
        locations = [h for h in CHECKER_LOCATIONS if not endpoint.regions or h[0] in endpoint.regions] or list(
            CHECKER_LOCATIONS
        )
        chance = random.Random(f"{self._seed}/{check_id}")
        opinions = [c.healthy for c in before] or [True] * CHECKERS
        checkers = tuple(
            Checker(*locations[i % len(locations)], healthy=opinion, status=before[i].status if before else "")
            for i, opinion in enumerate(opinions)
        )
        interval_s = paced(self._pace, Timer.HEALTH_CHECK_INTERVAL, endpoint.interval_s)
        tasks = tuple(
            asyncio.create_task(self._check(check_id, endpoint, c, chance.uniform(0, interval_s), interval_s))
            for c in checkers
        )
        self._watches[check_id] = _Watch(endpoint, checkers, tasks)

    async def _check(self, check_id: str, endpoint: Endpoint, checker: Checker, phase_s: float, every_s: float) -> None:
        await asyncio.sleep(phase_s)
        while True:
            before = checker.status
            if checker.saw(await self._probe.check(endpoint, check_id), endpoint.threshold):
                self._opinion(check_id, self.votes(check_id))
            watch = self._watches[check_id]
            if checker.status != before or asyncio.get_running_loop().time() - watch.reported_at >= every_s:
                self._unreported[check_id] = None
                self._something.set()
            await asyncio.sleep(every_s)

    def _end(self, watch: _Watch) -> None:
        for task in watch.tasks:
            task.cancel()


def _observations(checkers: Iterable[Checker]) -> list[dict[str, str]]:
    return [
        {"region": c.region, "ip": c.ip, "status": c.status, "checked_at": c.checked_at}
        for c in checkers
        if c.checked_at
    ]
