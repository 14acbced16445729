"""The client of the control plane's admin API."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import aiohttp

from infra_fixtures.internal_api.own_http import open_own, own_session
from infra_fixtures.run_layout import RunLayout

TIMEOUT_S = 10.0


class AdminRefused(RuntimeError):
    """The control plane would not do what the admin API was asked; the message is its own."""


class Admin:
    """The admin API for asyncio; use it as an async context manager."""

    def __init__(self, layout: RunLayout) -> None:
        self._url = layout.internal.url
        self._bearer = layout.credentials.bearer
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Admin:
        self._session = own_session(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), headers=self._bearer)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def region_up(self, region: str, up: bool) -> None:
        """Give a region's AWS API back, or take it away."""
        await self._ask("PUT", f"regions/{region}", {"up": up})

    async def observe_health_check(self, health_check_id: str, observations: Sequence[Mapping[str, Any]]) -> None:
        """Say what the checkers of a health check last saw; becomes GetHealthCheckStatus.

        An observation has region, ip, status ("Success: ..." or "Failure: ...") and checked_at (ISO 8601).
        """
        await self._ask(
            "PUT", f"route53/health_checks/{health_check_id}", {"observations": [dict(o) for o in observations]}
        )

    async def observe_cluster(self, region: str, cluster_id: str, /, **fields: Any) -> None:
        """Say how a cluster's data plane stands: status, endpoint, reader_endpoint, port, instance_status."""
        await self._ask("PUT", f"rds/{region}/clusters/{cluster_id}", fields)

    async def cluster_credentials(self, region: str, cluster_id: str) -> dict[str, Any]:
        """username, password and database as CreateDBCluster was given them; a secondary has its primary's."""
        return await self._ask("GET", f"rds/{region}/clusters/{cluster_id}/credentials")

    async def cloudwatch_feed(self, region: str, after: int) -> dict[str, Any]:
        """What was put into a region's CloudWatch, and which alarms changed state, after entry number `after`.

        `entries` in order and the number of the `last` one; the control plane holds the most recent ones only.
        """
        return await self._ask("GET", f"cloudwatch/{region}/feed/{after}")

    async def paused_replication(self) -> list[dict[str, Any]]:
        """What FIS holds back of S3's replication: source, region, destinations and prefixes (empty: all)."""
        paused: list[dict[str, Any]] = (await self._ask("GET", "fis/paused_replication"))["paused"]
        return paused

    async def complete_global(self, global_id: str, writer_arn: str, status: str = "available") -> None:
        """Say that a switchover or failover of a global cluster is done and who writes now."""
        await self._ask("PUT", f"rds/global/{global_id}", {"writer_arn": writer_arn, "status": status})

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        if self._session is None:
            raise RuntimeError("Admin is an async context manager: use it in an `async with`")
        async with self._session.request(method, f"{self._url}/_drill/{path}", json=body) as response:
            answer: dict[str, Any] = await response.json()
        if response.status >= 400:
            raise AdminRefused(str(answer.get("error", response.status)))
        return answer


def set_region(layout: RunLayout, region: str, up: bool) -> None:
    """Give a region's AWS API back or take it away, from code that blocks."""
    request = urllib.request.Request(
        f"{layout.internal.url}/_drill/regions/{region}",
        data=json.dumps({"up": up}).encode(),
        headers={"content-type": "application/json", **layout.credentials.bearer},
        method="PUT",
    )
    try:
        with open_own(request, TIMEOUT_S):
            return
    except urllib.error.HTTPError as e:
        raise AdminRefused(e.read().decode(errors="replace")) from e
