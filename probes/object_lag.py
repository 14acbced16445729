"""How far is the standby's bucket behind? A heartbeat object put in the primary's bucket and looked for in the other."""

from __future__ import annotations

import threading
import time
from typing import ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from drill.parts import Recorder
from infra_fixtures.targets.parts import BucketPart, part_of
from infra_fixtures.targets.world import World
from probes.heartbeats import Heartbeats

EVERY_S = 0.5
PREFIX = "heartbeat/"


class ObjectLag:
    """Samples replication_lag_s of s3, the age of the oldest heartbeat object that is not in the standby's bucket, and
    replication_lag_upper_s, how much it may be in truth."""

    name = "object_lag"
    needs: ClassVar[tuple[type, ...]] = (BucketPart,)

    def __init__(self, world: World, every_s: float = EVERY_S) -> None:
        self._source = world.client("s3", world.primary)
        self._replica = world.client("s3", world.standby)
        self._buckets = part_of(world, BucketPart).names
        self._primary, self._standby = world.primary, world.standby
        self._every_s = every_s

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Put, look, compare, until told to stop."""
        beats = Heartbeats()
        # above whatever an earlier drill left in the buckets: that must not pass for a heartbeat of this one
        seq = time.time_ns() // 1_000_000
        while not stop.wait(self._every_s):
            seq += 1
            sent_ns = time.monotonic_ns()
            stored = self._put(f"{PREFIX}{seq}")
            asked_ns = time.monotonic_ns()
            if stored:
                beats.wrote(seq, sent_ns, asked_ns)
            readable = True
            while (oldest := beats.oldest_unseen) is not None:
                found = self._has(f"{PREFIX}{oldest}")
                readable = found is not None
                if not found:
                    break
                beats.seen(oldest)
            if readable:
                answered_ns = time.monotonic_ns()
                lag_s, upper_s = beats.bounds(asked_ns, answered_ns)
                recorder.sample("replication_lag_s", "s3", lag_s, answered_ns)
                recorder.sample("replication_lag_upper_s", "s3", upper_s, answered_ns)

    def _put(self, key: str) -> bool:
        try:
            self._source.put_object(Bucket=self._buckets[self._primary], Key=key, Body=b"")
        except (BotoCoreError, ClientError):
            return False
        return True

    def _has(self, key: str) -> bool | None:
        """Whether the replica shows it; None where the bucket cannot be asked."""
        try:
            self._replica.head_object(Bucket=self._buckets[self._standby], Key=key)
        except ClientError as e:
            return False if e.response["ResponseMetadata"]["HTTPStatusCode"] == 404 else None
        except BotoCoreError:
            return None
        return True
