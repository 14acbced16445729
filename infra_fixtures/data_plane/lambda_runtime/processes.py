"""A region's workers as processes that faults kill, stop and freeze, all of them or those of one availability zone.

A killed worker is what a crash is on AWS: the invocation under way fails with Runtime.ExitError, the next one meets a cold
start. A frozen one answers nothing, so that what it is given runs into the function's time-out, by which Lambda ends it.
Freezing lasts until it is undone: a worker that starts meanwhile stands still as well, and its start times out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable

import msgspec

from infra_fixtures.data_plane.lambda_runtime.pool import Pool
from infra_fixtures.data_plane.lambda_runtime.worker import Freezing, Worker
from infra_fixtures.powers import Role

STOP_GRACE_S = 2.0
"""How long a worker has to end after SIGTERM before it is killed."""
DEATH_LIMIT_S = 5.0


class WorkerProcess(msgspec.Struct, frozen=True):
    """A worker's process: `az` is empty where its function is in no VPC, `pid` 0 while it is being started."""

    role: Role
    az: str
    name: str
    pid: int


class FunctionProcesses:
    """The processes of the workers in `pools`; an action's `zone` None stands for all. Each says whom it touched."""

    def __init__(self, pools: Callable[[], Iterable[Pool]], freezing: Freezing) -> None:
        self._pools = pools
        self._freezing = freezing

    def all(self) -> list[WorkerProcess]:
        """Every worker there is."""
        return _described(worker for _, worker in self._of(None))

    async def kill(self, zone: str | None) -> list[WorkerProcess]:
        """SIGKILL; returns when they are gone."""
        victims = self._withdrawn(zone)
        touched = _described(victims)
        for worker in victims:
            worker.kill()
        await _await_exit(victims, DEATH_LIMIT_S)
        return touched

    async def stop(self, zone: str | None) -> list[WorkerProcess]:
        """SIGTERM, and SIGKILL for those that are still there after a while; returns when they are gone."""
        victims = self._withdrawn(zone)
        touched = _described(victims)
        for worker in victims:
            worker.terminate()
        await _await_exit(victims, STOP_GRACE_S)
        for worker in victims:
            worker.kill()
        await _await_exit(victims, DEATH_LIMIT_S)
        return touched

    def freeze(self, zone: str | None) -> list[WorkerProcess]:
        """Stop them where they stand, and those that start from now on; where there is none, nothing is frozen."""
        found = [worker for _, worker in self._of(zone)]
        if found:
            self._freezing.scopes.add(zone)
        for worker in found:
            worker.settle_freezing()
        return _described(found)

    def thaw(self, zone: str | None) -> list[WorkerProcess]:
        """Undo the `freeze` of the same zone; who is frozen by another one stays so."""
        self._freezing.scopes.discard(zone)
        return _described([worker for _, worker in self._of(zone) if worker.settle_freezing()])

    def _withdrawn(self, zone: str | None) -> list[Worker]:
        """Workers that get no invocation any more."""
        found = self._of(zone)
        for pool, worker in found:
            pool.withdraw(worker)
        return [worker for _, worker in found]

    def _of(self, zone: str | None) -> list[tuple[Pool, Worker]]:
        return [(p, w) for p in self._pools() for w in p.workers if w.spawned and zone in (None, w.zone)]


def _described(workers: Iterable[Worker]) -> list[WorkerProcess]:
    return [WorkerProcess(Role.FUNCTIONS, w.zone, w.definition.name, w.pid) for w in workers]


async def _await_exit(workers: Iterable[Worker], limit_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            for worker in workers:
                await worker.exit_event.wait()
