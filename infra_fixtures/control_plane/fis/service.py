"""FIS of a run: a store and the experiments under way for each region, behind the front as a backend."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from infra_fixtures.control_plane.backend import Answer, Call
from infra_fixtures.control_plane.fis import protocol
from infra_fixtures.control_plane.fis.actions.action import PausedReplication
from infra_fixtures.control_plane.fis.caller import RegionGate
from infra_fixtures.control_plane.fis.refusals import FisError, Invalid
from infra_fixtures.control_plane.fis.regional import RegionalFis
from infra_fixtures.processes.events import EventLog
from infra_fixtures.run_layout import RunLayout

Emit = Callable[[str, str, str, str], None]
"""Tell the run's reconcilers of a change: region, service, action, resource."""


class Fis:
    """FIS in every region of a run; belongs to one event loop."""

    def __init__(self, layout: RunLayout, emit: Emit) -> None:
        self.events = EventLog(Path(layout.work_dir) / "fis.events.jsonl")
        self._paused: set[PausedReplication] = set()
        self.gates = {r.name: RegionGate() for r in layout.regions}
        self._regions = {
            name: RegionalFis(layout, name, gate, self.events, functools.partial(emit, name), self._paused)
            for name, gate in self.gates.items()
        }

    def backend(self, region: str) -> RegionBackend:
        """Who answers FIS's calls in a region."""
        return RegionBackend(self._regions.get(region), region)

    def region_up(self, region: str, up: bool) -> None:
        """A region is lost, and its FIS with it; or it is back."""
        self.gates[region].set(up)

    def paused_replication(self) -> list[dict[str, Any]]:
        """What the S3 replicator has to leave alone."""
        return [
            {
                "source": p.source,
                "region": p.region,
                "destinations": sorted(p.destinations),
                "prefixes": sorted(p.prefixes),
            }
            for p in self._paused
        ]

    async def close(self, limit_s: float) -> None:
        """Stop all experiments and wait until what they did is put back, for so long at most."""
        courses = [t for r in self._regions.values() for t in r.stop_all("The run ends.")]
        if courses:
            await asyncio.wait(courses, timeout=limit_s)


class RegionBackend:
    """FIS of one region as the front asks it."""

    def __init__(self, fis: RegionalFis | None, region: str) -> None:
        self._fis = fis
        self._region = region

    async def answer(self, call: Call) -> Answer:
        """Answer a call."""
        try:
            if self._fis is None:
                raise Invalid(f"{self._region} is no region of this run.")
            request = protocol.read(call)
            said: Mapping[str, Any] = self._fis.do(request)
            return protocol.answer(msgspec.to_builtins(said))
        except FisError as e:
            return protocol.error(e)
