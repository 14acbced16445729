"""The workers of one function version: started when none is idle, provisioned ahead, drained on change, reaped slowly.

Where AWS would start an execution environment for every concurrent invocation, a machine of two cores cannot: at most
MOST_WORKERS run, few start at once, and what finds none idle waits a little. An invocation that waited QUEUE_LIMIT_S
while workers were there to serve it is throttled, as it would be at an account's limit.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from pathlib import Path

from infra_fixtures.data_plane.lambda_runtime.definition import FunctionDefinition
from infra_fixtures.data_plane.lambda_runtime.fis_extension import FisExtension
from infra_fixtures.data_plane.lambda_runtime.invocation import (
    UNRESERVED_EXCEEDED,
    Invocation,
    failure,
    not_found,
    throttled,
)
from infra_fixtures.data_plane.lambda_runtime.placement import next_zone
from infra_fixtures.data_plane.lambda_runtime.quota import Quota
from infra_fixtures.data_plane.lambda_runtime.worker import Launch, State, Worker
from infra_fixtures.fis_lambda import InvocationFault
from infra_fixtures.internal_api.metric_batch import MetricBatch

log = logging.getLogger(__name__)

CORES = max(2, os.cpu_count() or 2)
MOST_WORKERS = 4 * CORES
"""More would only take the machine from the rest of the model."""
MOST_STARTING = CORES // 2
"""Beside workers that serve: half of the cores stay with them."""
SCALE_PATIENCE_S = 0.5
"""How long an invocation waits for a busy worker before another is started: a few times what a start takes. Two workers
catch up with half a second's standstill of a busy machine in a tenth of one; starting more would take them the cores to do
so."""
QUEUE_LIMIT_S = 2.0


class Pool:
    """The workers of `definition`, whose code lies in `task_root`; they take the availability zones in turn."""

    def __init__(
        self,
        launch: Launch,
        definition: FunctionDefinition,
        task_root: Path,
        metrics: MetricBatch,
        zones: tuple[str, ...] = (),
    ) -> None:
        self.definition = definition
        self._zones = zones
        self.provisioned = 0
        self._launch = launch
        self._task_root = task_root
        self._metrics = metrics
        self._loop = asyncio.get_running_loop()
        self._workers: set[Worker] = set()
        self._idle: list[Worker] = []
        self._waiting: deque[Invocation] = deque()
        self._quotas: dict[Invocation, Quota] = {}
        self._starting: set[Worker] = set()
        self._scale_timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._dimensions = (("FunctionName", definition.name),)
        self._extension = FisExtension(launch.layout, launch.region, definition)

    @property
    def ready_workers(self) -> int:
        """Workers that are initialised and not on their way out."""
        return sum(1 for w in self._workers if w.was_ready and not w.retired)

    @property
    def workers(self) -> list[Worker]:
        """All of them, also those that start or end."""
        return list(self._workers)

    def withdraw(self, worker: Worker) -> None:
        """Give a worker, which is about to be ended, no invocation any more."""
        worker.retired = True
        if worker in self._idle:
            self._idle.remove(worker)

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers."""
        return [w.pid for w in self._workers if w.pid]

    def submit(self, work: Invocation, quota: Quota) -> None:
        """Run an invocation for which one of `quota` was taken; it is given back at the end."""
        self._quotas[work] = quota
        self._metrics.add("ConcurrentExecutions", quota.taken, self._dimensions)
        if self._idle:
            self._idle.pop().deliver(work)
            return
        self._waiting.append(work)
        work.timer = self._loop.call_later(QUEUE_LIMIT_S, self._expire, work)
        self._scale_soon()

    def change(self, definition: FunctionDefinition, task_root: Path, zones: tuple[str, ...] = ()) -> None:
        """Take another code or configuration: busy workers finish their invocation, idle ones go now."""
        self.definition, self._task_root, self._zones = definition, task_root, zones
        self._extension.close()
        self._extension = FisExtension(self._launch.layout, self._launch.region, definition)
        for worker in list(self._workers):
            worker.retired = True
            if worker.state is not State.BUSY:
                worker.kill()
        self._idle.clear()
        self.ensure()

    def ensure(self) -> None:
        """Bring up what is provisioned and what waits."""
        self._scale()

    def reap(self, idle_s: float) -> None:
        """End workers that had nothing to do for `idle_s`, the longest idle first; provisioned ones stay."""
        limit_s = time.monotonic() - idle_s
        for worker in list(self._idle):
            if len(self._workers) > self.provisioned and worker.idle_since_s < limit_s:
                self._idle.remove(worker)
                self._workers.discard(worker)
                worker.kill()

    async def close(self, arn: str) -> None:
        """End every worker at once; what waits gets 404, what runs gets Runtime.ExitError."""
        self._closed = True
        self._extension.close()
        if self._scale_timer is not None:
            self._scale_timer.cancel()
        while self._waiting:
            work = self._waiting.popleft()
            self._release(work)
            work.refuse(not_found(arn))
        workers = list(self._workers)
        for worker in workers:
            worker.kill()
        for task in list(self._tasks):
            await task
        for worker in workers:
            if worker.spawned:
                await worker.exit_event.wait()

    # what workers tell

    def ready(self, worker: Worker) -> None:
        """A worker wants work."""
        self._starting.discard(worker)
        if worker.retired or self._closed:
            worker.kill()
            return
        work = self._next_waiting()
        if work is not None:
            worker.deliver(work)
        else:
            self._idle.append(worker)
        if self._waiting or len(self._workers) < self.provisioned:
            self._scale_soon()

    def fault(self) -> InvocationFault | None:
        """What FIS does to the invocation that now begins."""
        return self._extension.fault()

    def finished(self, worker: Worker, done: Invocation, payload: bytes, *, failed: bool, duration_s: float) -> None:
        """An invocation came to its end."""
        self._release(done)
        add, of = self._metrics.add, self._dimensions
        add("Invocations", 1.0, of)
        add("Errors", 1.0 if failed else 0.0, of)
        add("Duration", duration_s * 1000, of, "Milliseconds")
        done.settle(payload, "Unhandled" if failed else None, worker.definition.version)

    def ended(self, worker: Worker) -> None:
        """A worker's process is gone; one that never came up takes the invocation that waited for it along."""
        started = worker in self._starting
        self._starting.discard(worker)
        self._workers.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        if self._closed:
            return
        if started and not worker.retired and worker.init_failure is not None:
            work = self._next_waiting()
            if work is None:
                log.warning("a worker of %s did not come up: %s", self.definition.name, worker.init_failure.decode())
                return  # what is provisioned is tried again at the next look at the control plane
            work.began_s = time.monotonic()
            self.finished(worker, work, worker.init_failure, failed=True, duration_s=0.0)
        self._scale_soon()

    # inside

    @property
    def _worth_a_start_s(self) -> float:
        """When (loop time) another worker is worth its start: once the longest waiting has waited for a while, at once where
        no worker serves."""
        return self._waiting[0].arrived_s + SCALE_PATIENCE_S if self._waiting and self.ready_workers else 0.0

    def _scale_soon(self) -> None:
        if self._scale_timer is None:
            self._scale_timer = self._loop.call_at(self._worth_a_start_s, self._scale)

    def _scale(self) -> None:
        if self._scale_timer is not None:
            self._scale_timer.cancel()
            self._scale_timer = None
        if self._closed:
            return
        live = sum(1 for w in self._workers if not w.retired)
        wanted = self.provisioned - live
        if self._worth_a_start_s <= self._loop.time():
            wanted = max(wanted, min(len(self._waiting) - len(self._starting), MOST_WORKERS - live))
        else:
            self._scale_soon()
        most_starting = MOST_STARTING if self.ready_workers else CORES
        for _ in range(min(wanted, most_starting - len(self._starting))):
            self._start(provisioned=live < self.provisioned)
            live += 1

    def _start(self, *, provisioned: bool) -> None:
        zone = next_zone(self._zones, (w.zone for w in self._workers if not w.retired))
        worker = Worker(self._launch, self.definition, self._task_root, self, zone)
        self._workers.add(worker)
        self._starting.add(worker)
        task = self._loop.create_task(self._bring_up(worker, provisioned))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _bring_up(self, worker: Worker, provisioned: bool) -> None:
        try:
            await worker.start(provisioned=provisioned)
        except OSError as e:
            worker.init_failure = failure("Runtime.StartError", str(e))
            self.ended(worker)

    def _next_waiting(self) -> Invocation | None:
        while self._waiting:
            work = self._waiting.popleft()
            if work.timer is not None:
                work.timer.cancel()
                work.timer = None
            if not work.future.done():
                return work
            self._release(work)  # whoever asked has gone away
        return None

    def _expire(self, work: Invocation) -> None:
        if not self.ready_workers:  # a cold start: the worker's own limit decides
            work.timer = self._loop.call_later(QUEUE_LIMIT_S, self._expire, work)
            return
        work.timer = None
        self._waiting.remove(work)
        self._release(work)
        self._metrics.add("Throttles", 1.0, self._dimensions)
        work.refuse(throttled(UNRESERVED_EXCEEDED))

    def _release(self, work: Invocation) -> None:
        self._quotas.pop(work).give_back()
