"""Followers: read the desired state, make it so. Nudged by every mutating API call; a slow poll is the safety net."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import aiohttp
import botocore.session
import msgspec
from botocore.config import Config

from infra_fixtures import aws_models
from infra_fixtures.site import Site

T = TypeVar("T")
log = logging.getLogger(__name__)

SLOW_POLL_S = 5.0
GATHER_S = 0.1
"""How long a follower that found changes after a look gathers more of them: while a system is provisioned, hundreds of
calls would each lead to a look. The first change after a rest is never delayed."""
RECONNECT_S = 0.1


class Change(msgspec.Struct, frozen=True):
    """One mutating AWS API call that succeeded, as the front saw it.

    `service` is botocore's service name (route53, rds, lambda, s3, ec2, ...), `action` the operation (PutObject,
    RevokeSecurityGroupIngress, ...), `resource` what the request path names ("bucket/key" for S3; may be empty).
    `at_ns` is time.monotonic_ns() when the call returned.
    """

    seq: int
    at_ns: int
    region: str
    service: str
    action: str
    resource: str = ""


class Follower(Protocol):
    """A part of the data plane that obeys a part of the control plane."""

    @property
    def services(self) -> frozenset[str]:
        """The services whose changes concern it."""

    async def reconcile(self, changes: Sequence[Change]) -> None:
        """Read the desired state and make it so; `changes` is what nudged it, empty at the start and on the slow poll.

        Several changes that arrive while it works are handed over together.
        """


_building = threading.Lock()
"""A session builds one client at a time."""


@functools.cache
def _session() -> Any:
    """One session for all clients. botocore's own: boto3 would bring S3's transfer manager, 0.1 s of imports a process."""
    aws_models.read_fast()
    return botocore.session.get_session()


def client(site: Site, service: str, region: str) -> Any:
    """A botocore client for followers: the internal endpoint, which no region's loss takes away.

    Building one takes up to 60 ms, so they are kept. Their operations block: `call` them.
    """
    with _building:
        return _client(site, service, region)


@functools.cache
def _client(site: Site, service: str, region: str) -> Any:
    return _session().create_client(
        service,
        region_name=region,
        endpoint_url=site.internal.url,
        aws_access_key_id=site.credentials.reconciler.id,
        aws_secret_access_key=site.credentials.reconciler.secret,
        config=Config(
            retries={"max_attempts": 1},
            connect_timeout=2,
            read_timeout=10,
            max_pool_connections=20,
            s3={"addressing_style": "path"},
        ),
    )


async def call(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Run a blocking call (a client's operation) off the event loop."""
    return await asyncio.to_thread(function, *args, **kwargs)


class Backlog:
    """Who has not yet caught up with the changes it was told of: what readiness waits for."""

    def __init__(self) -> None:
        self._behind: dict[str, int] = {}

    @property
    def behind(self) -> list[str]:
        """Names of the followers that still have something to read; the slow poll does not count."""
        return [name for name, count in self._behind.items() if count]

    def add(self, follower: Follower, count: int) -> None:
        """A follower has got something to do (1) or is done (-1)."""
        name = type(follower).__name__
        self._behind[name] = self._behind.get(name, 0) + count


async def follow(
    site: Site, *followers: Follower, slow_poll_s: float = SLOW_POLL_S, backlog: Backlog | None = None
) -> None:
    """Keep followers reconciled until cancelled; one that raises is logged and tried again at the next."""
    backlog = Backlog() if backlog is None else backlog
    desks = [_Desk(f, backlog) for f in followers]
    async with asyncio.TaskGroup() as group:
        group.create_task(_listen(site, desks))
        for desk in desks:
            group.create_task(desk.work(slow_poll_s))


class _Desk:
    """One follower's in-tray: a change is looked at at once, those that arrive meanwhile together a little later."""

    def __init__(self, follower: Follower, backlog: Backlog) -> None:
        self.follower = follower
        self._tray: list[Change] = []
        self._nudge = asyncio.Event()
        self._backlog = backlog
        self._behind = False
        self._fall_behind()  # until the first look at everything

    def put(self, change: Change | None) -> None:
        if change is None:
            self._fall_behind()
            self._nudge.set()
        elif change.service in self.follower.services:
            self._tray.append(change)
            self._fall_behind()
            self._nudge.set()

    def _fall_behind(self) -> None:
        if not self._behind:
            self._behind = True
            self._backlog.add(self.follower, 1)

    def _catch_up(self) -> None:
        if self._behind:
            self._behind = False
            self._backlog.add(self.follower, -1)

    async def work(self, slow_poll_s: float) -> None:
        """Look whenever there is something to look at; first at the first connection to the change stream."""
        while True:
            try:
                async with asyncio.timeout(slow_poll_s):
                    await self._nudge.wait()
            except TimeoutError:
                pass
            self._nudge.clear()
            changes, self._tray = self._tray, []
            try:
                await self.follower.reconcile(changes)
                if not self._nudge.is_set():
                    self._catch_up()
            except Exception:  # a follower that fails must go on following
                log.exception("%s could not reconcile", type(self.follower).__name__)
            if self._nudge.is_set():
                await asyncio.sleep(GATHER_S)


async def _listen(site: Site, desks: Sequence[_Desk]) -> None:
    """Read the front's change stream; after every (re)connection all followers look at everything once."""
    decoder = msgspec.json.Decoder(Change)
    timeout = aiohttp.ClientTimeout(total=None, sock_read=None)
    async with aiohttp.ClientSession(timeout=timeout, headers=site.credentials.bearer) as session:
        while True:
            try:
                async with session.get(f"{site.internal.url}/_drill/changes") as response:
                    for desk in desks:
                        desk.put(None)
                    async for line in response.content:
                        if line.strip():
                            change = decoder.decode(line)
                            for desk in desks:
                                desk.put(change)
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(RECONNECT_S)
