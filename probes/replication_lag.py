"""How far is the standby's database behind? A heartbeat row written in the primary and read in the standby.

The lag at an instant is the age of the oldest acknowledged heartbeat that the standby does not show yet, 0 where it
shows them all. So it grows while the link is partitioned, and an idle database does not make it grow. Beside it stand
how much it may be in truth (probes.heartbeats), and what the engine itself claimed in the same answer.
"""

from __future__ import annotations

import threading
import time
from typing import ClassVar

import urllib3

from drill.parts import Recorder
from infra_fixtures.targets.parts import ApiPart, HeartbeatPart, part_of
from infra_fixtures.targets.world import World
from probes.heartbeats import Heartbeats
from probes.web import Client, ProbeRefused
from traffic.pointer import find


class ReplicationLag:
    """Samples replication_lag_s, replication_lag_upper_s and engine_lag_s of aurora.

    No sample is taken while the standby cannot be read, and none of the engine where it claims nothing.
    """

    name = "replication_lag"
    needs: ClassVar[tuple[type, ...]] = (HeartbeatPart, ApiPart)
    samples: ClassVar[tuple[tuple[str, str], ...]] = (
        ("replication_lag_s", "aurora"),
        ("replication_lag_upper_s", "aurora"),
        ("engine_lag_s", "aurora"),
    )

    def __init__(self, world: World) -> None:
        endpoints = part_of(world, ApiPart).endpoints
        self._beat = part_of(world, HeartbeatPart).beat
        self._writer, self._reader = Client(endpoints[world.primary]), Client(endpoints[world.standby])

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Write, read, compare, until told to stop."""
        with self._writer, self._reader:
            self._compare(recorder, stop)

    def _compare(self, recorder: Recorder, stop: threading.Event) -> None:
        beats = Heartbeats()
        # above whatever an earlier drill left in the table: that must not pass for a heartbeat of this one
        seq = time.time_ns() // 1_000_000
        while not stop.wait(self._beat.every_s):
            seq += 1
            sent_ns = time.monotonic_ns()
            stored = self._write(seq)
            asked_ns = time.monotonic_ns()
            beats.wrote(seq, sent_ns, asked_ns if stored else None)
            found = self._read()
            answered_ns = time.monotonic_ns()
            if found is None:
                continue
            shown, claimed_s = found
            beats.seen(shown)
            lag_s, upper_s = beats.bounds(asked_ns, answered_ns)
            recorder.sample("replication_lag_s", "aurora", lag_s, answered_ns)
            recorder.sample("replication_lag_upper_s", "aurora", upper_s, answered_ns)
            if claimed_s is not None:
                recorder.sample("engine_lag_s", "aurora", claimed_s, answered_ns)

    def _write(self, seq: int) -> bool:
        try:
            self._writer.send(self._beat.write, seq=seq)
        except (ProbeRefused, urllib3.exceptions.HTTPError):
            return False  # the primary may well be down: that is what a drill is about
        return True

    def _read(self) -> tuple[int, float | None] | None:
        """The last heartbeat shown, and the lag that the engine claims; None where the standby cannot be read."""
        try:
            answer = self._reader.send(self._beat.read)
        except (ProbeRefused, urllib3.exceptions.HTTPError):
            return None
        seq, where = find(answer, self._beat.read.seq), self._beat.read.engine_lag_s
        claimed = None if where is None else find(answer, where)
        return (int(seq), None if claimed is None else float(claimed)) if seq is not None else None
