"""How far is the standby's database behind? A heartbeat row written in the primary and read in the standby.

The lag at an instant is the age of the oldest acknowledged heartbeat that the standby does not show yet, 0 where it
shows them all. So it grows while the link is dark, and an idle database does not make it grow.
"""

from __future__ import annotations

import threading
import time
from collections import deque

import urllib3

from drill.run import Recorder
from infra_fixtures.targets.world import World
from probes.web import Client, ProbeRefused

EVERY_S = 0.1


class ReplicationLag:
    """Samples replication_lag_s of aurora; no sample is taken while the standby cannot be read."""

    name = "replication_lag"

    def __init__(self, world: World, every_s: float = EVERY_S) -> None:
        self._writer = Client(world.regional(world.primary))
        self._reader = Client(world.regional(world.standby))
        self._every_s = every_s

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Write, read, compare, until told to stop."""
        unseen: deque[tuple[int, int]] = deque()
        seq = 0
        while not stop.wait(self._every_s):
            seq += 1
            if self._write(seq):
                unseen.append((seq, time.monotonic_ns()))
            shown = self._read()
            if shown is None:
                continue
            now_ns = time.monotonic_ns()
            while unseen and unseen[0][0] <= shown:
                unseen.popleft()
            lag_s = (now_ns - unseen[0][1]) / 1e9 if unseen else 0.0
            recorder.sample("replication_lag_s", "aurora", lag_s, now_ns)

    def _write(self, seq: int) -> bool:
        try:
            self._writer.ask("POST", "/heartbeat", {"seq": seq})
        except (ProbeRefused, urllib3.exceptions.HTTPError):
            return False  # the primary may well be down: that is what a drill is about
        return True

    def _read(self) -> int | None:
        try:
            return int(self._reader.ask("GET", "/heartbeat")["seq"])
        except (ProbeRefused, urllib3.exceptions.HTTPError):
            return None
