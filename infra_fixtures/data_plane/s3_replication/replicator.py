"""S3 replication: copies what is written to a bucket as its replication rules say, later and in the background.

As on AWS, objects older than their rule are not copied, nor are replicas copied on; a permanent delete is never
replicated, a delete marker where the rule says so. While the source's region is lost nothing leaves it: what was still
pending is copied when the region comes back, and lost if it never does. Source: S3 user guide, "What does Amazon S3
replicate?". Not modelled: rules by tag (they select nothing, and that is logged), ReplicationStatus on the objects,
the choice of SSE-KMS objects.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
from botocore.exceptions import ClientError
from yarl import URL

from infra_fixtures.access import sigv4
from infra_fixtures.data_plane.s3_replication.rules import PausedReplication, Rule, read_rules
from infra_fixtures.internal_api.admin import Admin
from infra_fixtures.internal_api.changes import Change
from infra_fixtures.internal_api.clients import call, client
from infra_fixtures.internal_api.own_http import own_session
from infra_fixtures.processes.events import EventLog
from infra_fixtures.run_layout import RunLayout

log = logging.getLogger(__name__)

WORKERS = 4
"""Copies at once from one region; moto manages 200-300 writes/s in all."""
RETRY_S = 0.5
COPY_LIMIT_S = 10.0
LAGS_KEPT = 1000
WRITES = frozenset({"PutObject", "CopyObject", "CompleteMultipartUpload"})
PAUSES = frozenset({"_ReplicationPaused", "_ReplicationResumed"})
RULE_CHANGES = frozenset({"PutBucketReplication", "DeleteBucketReplication"})
KEPT_HEADERS = ("content-type", "content-encoding", "cache-control", "content-disposition", "x-amz-meta-")
"""What an object keeps beside its bytes when it is replicated."""
NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Pending:
    """An object version, or a delete marker, that has to be replicated; nothing is tried before `not_before_ns`."""

    bucket: str
    key: str
    deleted: bool
    rule: Rule
    written_ns: int
    not_before_ns: int


@dataclass(slots=True)
class _RegionQueue:
    """What waits to leave one region."""

    queue: deque[Pending] = field(default_factory=deque)
    busy: int = 0
    suspended: bool = False
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class S3Replicator:
    """A reconciler of `s3`; it lives in no region. Use it as an async context manager."""

    def __init__(self, layout: RunLayout) -> None:
        self._layout = layout
        self._events = EventLog(Path(layout.work_dir) / "s3_replication.events.jsonl")
        self._sources = {r.name: _RegionQueue() for r in layout.regions}
        self._rules: dict[str, list[Rule]] = {}
        self._since_ns: dict[str, int] = {}
        self._read_once = False
        self._bucket_regions: dict[str, str] = {}
        self._own: Counter[tuple[str, str]] = Counter()
        self._lags: deque[float] = deque(maxlen=LAGS_KEPT)
        self._replicated = 0
        self._retried = 0
        self._paused = False
        self._held: frozenset[PausedReplication] = frozenset()
        self._admin = Admin(layout)
        self._lag_s = 0.0
        self._session: aiohttp.ClientSession | None = None
        self._workers: list[asyncio.Task[None]] = []

    @property
    def services(self) -> frozenset[str]:
        """Reconciles S3."""
        return frozenset({"s3"})

    async def __aenter__(self) -> S3Replicator:
        self._session = own_session(timeout=aiohttp.ClientTimeout(total=COPY_LIMIT_S), auto_decompress=False)
        await self._admin.__aenter__()
        loop = asyncio.get_running_loop()
        self._workers = [
            loop.create_task(self._work(source)) for source in self._sources.values() for _ in range(WORKERS)
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        await self._admin.__aexit__(None, None, None)
        self._events.close()

    async def reconcile(self, changes: Sequence[Change]) -> None:
        """Read the rules where they may have changed, and queue what was written."""
        if not changes or any(c.action in PAUSES for c in changes):
            await self._read_pauses()
        if not changes:
            await self._read_rules()
        for change in changes:
            bucket, _, key = change.resource.partition("/")
            if change.action in RULE_CHANGES and not key:
                self._since_ns[bucket] = change.at_ns
                await self._read_rules()
            elif key and change.action in WRITES | {"DeleteObject"}:
                self._note(change, bucket, key)

    def set_suspended(self, region: str, suspended: bool) -> None:
        """The region is lost: nothing leaves it. Or it is back: what is pending goes on."""
        source = self._sources[region]
        if source.suspended != suspended:
            self._events.record(
                "region.held" if suspended else "region.resumed", region, f"{len(source.queue)} pending"
            )
        source.suspended = suspended
        source.wake.set()

    def steer(self, *, paused: bool | None = None, lag_s: float | None = None) -> None:
        """Pause or resume all replication, or delay every later object by `lag_s` seconds."""
        self._paused = self._paused if paused is None else paused
        self._lag_s = self._lag_s if lag_s is None else lag_s
        self._events.record("steered", "s3", f"paused={self._paused} lag_s={self._lag_s:g}")
        for source in self._sources.values():
            source.wake.set()

    def state(self) -> dict[str, Any]:
        """Figures: pending by source region, age of the oldest (s), copies done, lags of the last 1,000 (s)."""
        now = time.monotonic_ns()
        ages = [(now - p.written_ns) / NS for source in self._sources.values() for p in source.queue]
        lags = sorted(self._lags)
        return {
            "paused": self._paused,
            "lag_s": self._lag_s,
            "rules": {bucket: len(rules) for bucket, rules in self._rules.items()},
            "pending": {region: len(source.queue) + source.busy for region, source in self._sources.items()},
            "held_by_fis": sorted({h.source for h in self._held}),
            "held": [region for region, source in self._sources.items() if source.suspended],
            "oldest_pending_s": max(ages, default=0.0),
            "replicated": self._replicated,
            "retried": self._retried,
            "lag_p50_s": lags[len(lags) // 2] if lags else None,
            "lag_p99_s": lags[int(len(lags) * 0.99)] if lags else None,
        }

    def _note(self, change: Change, bucket: str, key: str) -> None:
        if self._own[bucket, key] > 0:  # our own copy, or a copy's delete marker: a replica is not replicated
            self._own[bucket, key] -= 1
            return
        rule = next((r for r in self._rules.get(bucket, ()) if key.startswith(r.prefix)), None)
        deleted = change.action == "DeleteObject"
        if rule is None or (deleted and not rule.delete_markers) or change.at_ns < self._since_ns[bucket]:
            return
        source = self._sources.get(self._bucket_regions[bucket])
        if source is None:
            return
        due = change.at_ns + int(self._lag_s * NS)
        source.queue.append(Pending(bucket, key, deleted, rule, change.at_ns, due))
        source.wake.set()

    async def _work(self, source: _RegionQueue) -> None:
        while True:
            pending = self._next(source)
            if pending is None:
                await self._rest(source)
                continue
            source.busy += 1
            try:
                await self._replicate(pending)
                self._replicated += 1
                self._lags.append((time.monotonic_ns() - pending.written_ns) / NS)
            except (aiohttp.ClientError, OSError, TimeoutError) as e:
                self._retried += 1
                log.warning("%s/%s could not be replicated and will be tried again: %s", pending.bucket, pending.key, e)
                source.queue.append(replace(pending, not_before_ns=time.monotonic_ns() + int(RETRY_S * NS)))
            finally:
                source.busy -= 1

    def _next(self, source: _RegionQueue) -> Pending | None:
        found = self._first(source)
        if found is None or source.queue[found].not_before_ns > time.monotonic_ns():
            return None
        pending = source.queue[found]
        del source.queue[found]
        return pending

    def _first(self, source: _RegionQueue) -> int | None:
        """Where the first stands that nothing holds back; None where there is none."""
        if source.suspended or self._paused:
            return None
        if not self._held:
            return 0 if source.queue else None
        waiting = enumerate(source.queue)
        return next((n for n, p in waiting if not any(h.holds(p.bucket, p.rule) for h in self._held)), None)

    async def _rest(self, source: _RegionQueue) -> None:
        """Until something is queued, released or due."""
        source.wake.clear()
        found = self._first(source)
        limit = None if found is None else max(0.0, (source.queue[found].not_before_ns - time.monotonic_ns()) / NS)
        try:
            async with asyncio.timeout(limit):
                await source.wake.wait()
        except TimeoutError:
            pass

    async def _replicate(self, pending: Pending) -> None:
        """One copy (or delete marker) at the target; a source gone meanwhile leaves nothing to do."""
        rule, key = pending.rule, pending.key
        if pending.deleted and not await self._is_marked_deleted(pending):
            return
        self._own[rule.target, key] += 1
        told = False
        try:
            if pending.deleted:
                status = await self._ask("DELETE", rule.target_region, rule.target, key)
            else:
                status = await self._copy(pending)
            told = 200 <= status < 300
            if status == 404:
                self._events.record("object.gone", pending.bucket, key)
            elif not told:
                raise aiohttp.ClientError(f"S3 answered {status}")
        finally:
            if not told:  # no change of ours will come by
                self._own[rule.target, key] -= 1

    async def _is_marked_deleted(self, pending: Pending) -> bool:
        """Whether the newest version is a delete marker: a permanent delete of some version is not replicated."""
        assert self._session is not None
        path = _path(pending.bucket, pending.key)
        signed = self._signed("HEAD", self._bucket_regions[pending.bucket], path)
        async with self._session.head(self._url(path), headers=signed) as response:
            return response.status == 404

    async def _copy(self, pending: Pending) -> int:
        """Read the object in its region and write it in the other; a copy inside S3 would need both in one emulator."""
        assert self._session is not None
        path = _path(pending.bucket, pending.key)
        signed = self._signed("GET", self._bucket_regions[pending.bucket], path)
        async with self._session.get(self._url(path), headers=signed) as response:
            body = await response.read()
        if response.status != 200:
            return response.status
        kept = {k: v for k, v in response.headers.items() if k.lower().startswith(KEPT_HEADERS)}
        return await self._ask("PUT", pending.rule.target_region, pending.rule.target, pending.key, kept, body)

    async def _ask(
        self,
        method: str,
        region: str,
        bucket: str,
        key: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> int:
        assert self._session is not None
        path = _path(bucket, key)
        sent = {**self._signed(method, region, path), **(headers or {})}
        async with self._session.request(method, self._url(path), headers=sent, data=body) as response:
            await response.read()
            return response.status

    def _signed(self, method: str, region: str, path: str) -> dict[str, str]:
        key, host = self._layout.credentials.reconciler, str(self._layout.internal)
        return sigv4.sign(key, method, host, path, region=region, service="s3", payload=sigv4.UNSIGNED_PAYLOAD)

    def _url(self, path: str) -> URL:
        return URL(self._layout.internal.url + path, encoded=True)

    async def _read_pauses(self) -> None:
        """What FIS holds back now (aws:s3:bucket-pause-replication)."""
        said = msgspec.convert(await self._admin.paused_replication(), frozenset[PausedReplication])
        if said != self._held:
            self._held = said
            self._events.record("held", "s3", ", ".join(sorted(f"{h.source} -> {h.region}" for h in said)))
            for source in self._sources.values():
                source.wake.set()

    async def _read_rules(self) -> None:
        """Read every bucket's rules; those met without a change that told of them hold from now on."""
        began = time.monotonic_ns() if self._read_once else 0
        self._read_once = True
        configured: dict[str, Any] = {}
        found: dict[str, list[Rule]] = {}
        for region in self._sources:
            if self._sources[region].suspended:  # lost, and nobody can be asked: what it was told last still holds
                found |= {b: rules for b, rules in self._rules.items() if self._bucket_regions[b] == region}
            else:
                configured |= await self._configured(await call(client, self._layout, "s3", region), region)
        for name, configuration in configured.items():
            rules = list(read_rules(configuration["Rules"], self._bucket_regions))
            if rules:
                found[name] = sorted(rules, key=lambda r: -r.priority)
        for name in found.keys() - self._since_ns.keys():
            self._since_ns[name] = began
        if found != self._rules:
            self._rules = found
            self._events.record("rules", "s3", ", ".join(f"{b} -> {r.target}" for b in found for r in found[b]))

    async def _configured(self, s3: Any, region: str) -> dict[str, Any]:
        """The replication configurations of a region's own buckets, which it may list among those of others."""
        configured = {}
        for name in [b["Name"] for b in (await call(s3.list_buckets))["Buckets"]]:
            if name not in self._bucket_regions:
                where = await call(s3.get_bucket_location, Bucket=name)
                self._bucket_regions[name] = where.get("LocationConstraint") or "us-east-1"
            if self._bucket_regions[name] == region:
                with contextlib.suppress(ClientError):  # it has none
                    answer = await call(s3.get_bucket_replication, Bucket=name)
                    configured[name] = answer["ReplicationConfiguration"]
        return configured


def _path(bucket: str, key: str) -> str:
    return f"/{bucket}/{quote(key, safe='/~')}"
