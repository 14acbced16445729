"""A topology that runs for a person: what stands, where it answers, and which process runs it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil

from drill.wait import wait_until
from infra_fixtures.targets.parts import ApiPart
from infra_fixtures.targets.world import World

DOWN_TIMEOUT_S = 30.0


class RunningTopology(msgspec.Struct, frozen=True):
    """One running topology; `pid` and `started` identify the process that runs it."""

    run_id: str
    target: str
    pace: float
    pid: int
    started: float
    endpoints: dict[str, str]

    @classmethod
    def of(cls, world: World) -> RunningTopology:
        """Describe a world that this process runs. Its API key is not among the words: it is a secret."""
        endpoints = {"service (through Route 53)": world.entry.url}
        if world.entry.dns:
            endpoints["Route 53 name server"] = "{}:{}".format(*world.entry.dns)
        apis = world.part(ApiPart)
        for region in (world.primary, world.standby):
            if apis is not None:
                endpoints[f"{region} API endpoint"] = apis.endpoints[region].url
            aws = world.client("sts", region)
            if aws is not None:
                endpoints[f"{region} AWS API"] = str(aws.meta.endpoint_url)
        note = world.fidelity.get("control plane", "").partition(":")[2].strip()
        if note:
            endpoints["who answers the AWS API"] = note
        own = psutil.Process()
        return cls(world.run_id, world.target, world.pace, own.pid, own.create_time(), endpoints)

    def describe(self) -> str:
        """The endpoints, a line each."""
        width = max(map(len, self.endpoints))
        lines = [f"{self.run_id} on {self.target} at pace {self.pace:g}, held by process {self.pid}"]
        return "\n".join([*lines, *(f"  {name:<{width}}  {where}" for name, where in self.endpoints.items())])

    @contextlib.contextmanager
    def announced(self, runs_dir: Path) -> Iterator[None]:
        """Let `status` and `down` find it for as long as this lasts."""
        runs_dir.mkdir(parents=True, exist_ok=True)
        note = runs_dir / f"{self.run_id}.held.json"
        writing = note.with_suffix(".writing")
        writing.touch(mode=0o600)
        writing.write_bytes(msgspec.json.encode(self))
        writing.replace(note)
        try:
            yield
        finally:
            note.unlink(missing_ok=True)

    @property
    def alive(self) -> bool:
        """Whether its process still lives (the same process, not another with its number)."""
        try:
            holder = psutil.Process(self.pid)
            return holder.status() != psutil.STATUS_ZOMBIE and abs(holder.create_time() - self.started) < 1.0
        except psutil.Error:
            return False


def find_running(runs_dir: Path) -> list[RunningTopology]:
    """Every topology that a live process runs; notes of dead ones are removed."""
    found = []
    for note in sorted(runs_dir.glob("*.held.json")):
        try:
            running = msgspec.json.decode(note.read_bytes(), type=RunningTopology)
        except (OSError, msgspec.DecodeError):
            continue  # not one of ours
        if running.alive:
            found.append(running)
        else:
            note.unlink(missing_ok=True)
    return found


def bring_down(running: RunningTopology, timeout_s: float = DOWN_TIMEOUT_S) -> None:
    """Ask its process to bring it down and wait until it has; raises WaitTimeout if it does not."""
    os.kill(running.pid, signal.SIGTERM)
    wait_until(
        lambda: not running.alive,
        what=f"process {running.pid} to bring {running.run_id} down",
        timeout_s=timeout_s,
    )
