"""The Lambda service of one region: a reconciler of the Lambda API that runs what it describes.

Served are $LATEST, the versions that aliases point at, and versions with provisioned concurrency.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiohttp import web
from botocore.exceptions import ClientError

from infra_fixtures.data_plane.lambda_runtime import definition as read
from infra_fixtures.data_plane.lambda_runtime.code import CodeStore, UnusableCode
from infra_fixtures.data_plane.lambda_runtime.definition import LATEST, FunctionDefinition, split_name
from infra_fixtures.data_plane.lambda_runtime.environment import furnish, lay_out_runtime
from infra_fixtures.data_plane.lambda_runtime.event_queue import EventQueue
from infra_fixtures.data_plane.lambda_runtime.function import Function
from infra_fixtures.data_plane.lambda_runtime.invocation import Invocation, InvokeResult, not_found, throttled
from infra_fixtures.data_plane.lambda_runtime.invoke_api import serve
from infra_fixtures.data_plane.lambda_runtime.logs import LogShipper
from infra_fixtures.data_plane.lambda_runtime.placement import Zones
from infra_fixtures.data_plane.lambda_runtime.pool import Pool
from infra_fixtures.data_plane.lambda_runtime.processes import FunctionProcesses
from infra_fixtures.data_plane.lambda_runtime.quota import Account
from infra_fixtures.data_plane.lambda_runtime.template import Template
from infra_fixtures.data_plane.lambda_runtime.worker import Freezing, Launch
from infra_fixtures.internal_api import clients
from infra_fixtures.internal_api.changes import Change
from infra_fixtures.internal_api.metric_batch import MetricBatch
from infra_fixtures.pace import Timer, paced
from infra_fixtures.processes.events import EventLog
from infra_fixtures.run_layout import RunLayout

log = logging.getLogger(__name__)

REAP_EVERY_S = 2.0

CONFIGURATION, CONCURRENCY, PROVISIONED, ALIASES, RETRIES, POLICY = range(6)
EVERYTHING = frozenset(range(6))
PARTS_OF_ACTION = {
    "PutFunctionConcurrency": frozenset({CONCURRENCY}),
    "DeleteFunctionConcurrency": frozenset({CONCURRENCY}),
    "PutProvisionedConcurrencyConfig": frozenset({PROVISIONED}),
    "DeleteProvisionedConcurrencyConfig": frozenset({PROVISIONED}),
    "UpdateFunctionCode": frozenset({CONFIGURATION}),
    "UpdateFunctionConfiguration": frozenset({CONFIGURATION}),
    "PutFunctionEventInvokeConfig": frozenset({RETRIES}),
    "UpdateFunctionEventInvokeConfig": frozenset({RETRIES}),
    "DeleteFunctionEventInvokeConfig": frozenset({RETRIES}),
    "CreateAlias": frozenset({ALIASES, POLICY}),
    "UpdateAlias": frozenset({ALIASES}),
    "DeleteAlias": frozenset({ALIASES}),
    "AddPermission": frozenset({POLICY}),
    "RemovePermission": frozenset({POLICY}),
    "Invoke": frozenset[int](),
    "TagResource": frozenset[int](),
    "UntagResource": frozenset[int](),
}


class LambdaService:
    """Runs the functions of `region`; Invoke API on the layout's `lambda_api`, the same by `invoke` in the process."""

    def __init__(self, layout: RunLayout, region: str) -> None:
        self._layout = layout
        self._region = region
        self._functions: dict[str, Function] = {}
        self._account = Account()
        self._directory = Path(layout.work_dir) / "lambda" / region
        self._code = CodeStore(layout, self._directory / "code")
        self._events = EventQueue(layout.pace)
        self._metrics = MetricBatch(layout, region, "AWS/Lambda")
        self._shipper = LogShipper(layout, region, Path(layout.work_dir) / f"lambda-{region}.functions.log")
        self._launch: Launch | None = None
        self._zones = Zones(layout, region)
        self._freezing = Freezing()
        self.processes = FunctionProcesses(self._pools, self._freezing)
        """The workers as processes, for faults."""
        self._processes: EventLog | None = None
        self._api: web.ServerRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._next_full = 0

    # life

    async def start(self) -> None:
        """Serve; functions come with the first reconcile()."""
        scratch, runtime_dir = self._directory / "tmp", self._directory / "runtime"
        furnish(self._layout.worker_uid, within=self._directory, scratch=scratch)
        lay_out_runtime(runtime_dir)
        work_dir = Path(self._layout.work_dir)
        self._processes = EventLog(work_dir / f"lambda-{self._region}.events.jsonl")
        template = Template(
            self._layout.run_id,
            runtime_dir,
            work_dir / f"lambda-{self._region}.template.log",
            self._processes,
            f"{self._region}/lambda",
            self._layout.worker_uid,
        )
        template.start()
        self._launch = Launch(self._layout, self._region, runtime_dir, scratch, self._shipper, template, self._freezing)
        self._api = await serve(self._layout.region(self._region).lambda_api, self, self._layout.credentials.known)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(t) for t in (self._shipper.run(), self._metrics.publish(), self._reap())]

    async def stop(self) -> None:
        """End every worker and let go of every port; quick (well under 0.5 s)."""
        await self._events.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for function in self._functions.values():
            for pool in function.pools.values():
                await pool.close(function.arn)
        self._functions.clear()
        if self._launch is not None:
            self._launch.template.close()
        if self._processes is not None:
            self._processes.close()
        if self._api is not None:
            await self._api.cleanup()
        await self._shipper.close()

    async def __aenter__(self) -> LambdaService:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # invocations

    async def invoke(
        self,
        function_name: str,
        payload: bytes,
        *,
        asynchronous: bool = False,
        qualifier: str | None = None,
        client_context: str | None = None,
    ) -> InvokeResult:
        """Run a function (name, name:qualifier or ARN) and wait for it, or queue the event where `asynchronous`.

        Never raises for what AWS answers with an error: see InvokeResult.status. Whoever stops waiting does not stop
        the invocation.
        """
        name, wanted = split_name(function_name, qualifier)
        function = self._functions.get(name)
        if function is None or function.pool(wanted) is None:
            return not_found(self._arn(name, wanted))
        if asynchronous:
            self._events.put(name, lambda: self._run(name, wanted, payload, client_context), function.retries)
            return InvokeResult(202, request_id=str(uuid.uuid4()))
        return await self._run(name, wanted, payload, client_context)

    def find(self, function_name: str, qualifier: str | None = None) -> InvokeResult | None:
        """None where there is such a function, else AWS's refusal."""
        name, wanted = split_name(function_name, qualifier)
        function = self._functions.get(name)
        return not_found(self._arn(name, wanted)) if function is None or function.pool(wanted) is None else None

    def permits(self, function_name: str, principal: str, source_arn: str) -> bool:
        """Whether the function's policy lets an AWS service (such as apigateway.amazonaws.com) invoke it."""
        function = self._functions.get(split_name(function_name)[0])
        return function is not None and function.permits(principal, source_arn)

    def workers(self, function_name: str, qualifier: str | None = None) -> int:
        """How many initialised workers a function has."""
        pool = self._pool(function_name, qualifier)
        return pool.ready_workers if pool is not None else 0

    def pids(self, function_name: str, qualifier: str | None = None) -> list[int]:
        """The process ids of a function's workers."""
        pool = self._pool(function_name, qualifier)
        return pool.pids if pool is not None else []

    async def _run(self, name: str, qualifier: str, payload: bytes, client_context: str | None) -> InvokeResult:
        function = self._functions.get(name)
        pool = function.pool(qualifier) if function is not None else None
        if pool is None:
            return not_found(self._arn(name, qualifier))
        quota = self._account.quota(name)
        if not quota.take():
            self._metrics.add("Throttles", 1.0, (("FunctionName", name),))
            return throttled(quota.reason)
        work = Invocation(payload, asyncio.get_running_loop(), client_context)
        pool.submit(work, quota)
        return await work.future

    def _pool(self, function_name: str, qualifier: str | None) -> Pool | None:
        name, wanted = split_name(function_name, qualifier)
        function = self._functions.get(name)
        return function.pool(wanted) if function is not None else None

    def _arn(self, name: str, qualifier: str) -> str:
        suffix = "" if qualifier == LATEST else f":{qualifier}"
        return f"arn:aws:lambda:{self._region}:{self._layout.account_id}:function:{name}{suffix}"

    def _pools(self) -> list[Pool]:
        return [pool for function in self._functions.values() for pool in function.pools.values()]

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(REAP_EVERY_S)
            for pool in self._pools():
                pool.reap(paced(self._layout.pace, Timer.IDLE_ENVIRONMENT))

    # following

    @property
    def services(self) -> frozenset[str]:
        """Reconciles the Lambda API."""
        return frozenset({"lambda"})

    async def reconcile(self, changes: Sequence[Change]) -> None:
        """Make the region's functions what the API says.

        A change leads to a look at what it changed. Without one (the slow poll) every function's code, configuration and
        limit are looked at, and all of one function, in turn.
        """
        wanted: dict[str, frozenset[int]] = {}
        mine = [c for c in changes if c.region == self._region]
        if changes and not mine:
            return
        for change in mine:
            name = _function_of(change.resource)
            parts = PARTS_OF_ACTION.get(change.action, EVERYTHING)
            if name is None and parts:
                wanted = {}
                mine = []
                break
            if name is not None and parts:
                wanted[name] = wanted.get(name, frozenset()) | parts
        if not mine:
            wanted = await self._everything(thorough=bool(changes))
        outcomes = await asyncio.gather(
            *(self._look(name, parts) for name, parts in wanted.items()), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _everything(self, *, thorough: bool) -> dict[str, frozenset[int]]:
        """All functions there are; those that are no more are dropped."""
        names = await clients.call(self._names)
        for gone in self._functions.keys() - set(names):
            await self._drop(gone)
        self._next_full += 1
        return {
            name: EVERYTHING
            if thorough or name not in self._functions or i == self._next_full % len(names)
            else frozenset({CONFIGURATION, CONCURRENCY})
            for i, name in enumerate(names)
        }

    def _names(self) -> list[str]:
        pages = self._client.get_paginator("list_functions").paginate()
        return [f["FunctionName"] for page in pages for f in page["Functions"]]

    @property
    def _client(self) -> Any:
        return clients.client(self._layout, "lambda", self._region)

    async def _look(self, name: str, parts: frozenset[int]) -> None:
        """Read those parts of one function and apply them, the limit first: it is what drills change."""
        client = self._client
        function = self._functions.get(name)
        try:
            if function is None:
                parts = EVERYTHING
                await clients.call(client.get_function_configuration, FunctionName=name)
                function = Function(name, self._arn(name, LATEST))
            if CONCURRENCY in parts:
                self._account.reserve(name, await clients.call(read.read_reserved, client, name))
            if ALIASES in parts:
                function.take_aliases(await clients.call(read.read_aliases, client, name))
            if PROVISIONED in parts:
                function.take_provisioned(await clients.call(read.read_provisioned, client, name))
            if RETRIES in parts:
                function.retries = await clients.call(read.read_retries, client, name)
            if POLICY in parts:
                function.take_policy(await clients.call(read.read_policy, client, name, tuple(function.aliases)))
            if parts & {CONFIGURATION, ALIASES, PROVISIONED}:
                await self._take_versions(client, function, again=CONFIGURATION in parts)
                function.provision()
        except ClientError as e:
            if e.response["Error"]["Code"] not in ("ResourceNotFoundException", "404"):
                raise
            await self._drop(name)
            return
        self._functions[name] = function

    async def _take_versions(self, client: Any, function: Function, *, again: bool) -> None:
        wanted = function.required_versions()
        for version in wanted:
            if version in function.pools and not (again and version == LATEST):
                continue  # a published version never changes
            qualifier = {} if version == LATEST else {"Qualifier": version}
            said = await clients.call(client.get_function, FunctionName=function.name, **qualifier)
            definition = FunctionDefinition.of(said["Configuration"])
            pool = function.pools.get(version)
            if pool is not None and pool.definition == definition:
                continue
            zones = await self._zones.of(definition.subnets)
            root = self._code.unpacked(definition.code_sha256)
            if root is None:
                location = said["Code"].get("Location")
                if not location:
                    raise UnusableCode(f"{function.name}: the control plane gives no Code.Location (only zips are run)")
                root = await self._code.fetch(definition.code_sha256, location)
            if pool is None:
                assert self._launch is not None
                function.pools[version] = Pool(self._launch, definition, root, self._metrics, zones)
            else:
                pool.change(definition, root, zones)
        for version in function.pools.keys() - wanted:
            await function.pools.pop(version).close(function.arn)

    async def _drop(self, name: str) -> None:
        self._account.reserve(name, None)
        function = self._functions.pop(name, None)
        if function is not None:
            for pool in function.pools.values():
                await pool.close(function.arn)


def _function_of(resource: str) -> str | None:
    """The function a change's resource names (its first part is a name or an ARN); None where it names none."""
    first = resource.strip("/").partition("/")[0]
    return split_name(first)[0] or None
