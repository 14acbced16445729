"""The Aurora manager: reads what the RDS API wants of the clusters, makes it so, and reports how things are.

A node that dies is reported and stays dead: the drill's model is an AZ or its storage lost, which Aurora does not
restart in place. Whoever lost it restores it, through the global process's control API.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from drill.wait import WaitTimeout
from infra_fixtures.data_plane.aurora import files
from infra_fixtures.data_plane.aurora.lag_metric import SecondaryLag
from infra_fixtures.data_plane.aurora.node import PROCESS, Node, NodeFailure
from infra_fixtures.data_plane.aurora.pair import Pair, SetWriterEndpoint, TransferFailed
from infra_fixtures.data_plane.aurora.view import Cluster, GlobalCluster, Transfer, View, read_view
from infra_fixtures.internal_api.changes import Change
from infra_fixtures.processes.events import EventLog
from infra_fixtures.processes.supervisor import Process, Supervisor
from infra_fixtures.run_layout import RunLayout

log = logging.getLogger(__name__)

OBSERVATIONS = frozenset({"_ClusterObserved", "_GlobalClusterObserved"})
"""Changes that we caused ourselves."""


RESTARTS = {"RebootDBInstance": "rebooting", "FailoverDBCluster": "modifying"}
"""Calls that end all connections to a region's node and start it again, and what the API says of it meanwhile.

A failover inside a region goes to another instance on the same storage
(https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Concepts.AuroraHighAvailability.html): no commit is lost. Here the
region's one node is killed and recovers on its own storage, as that other instance."""


class RdsAdmin(Protocol):
    """What the manager needs of `infra_fixtures.internal_api.admin.Admin`."""

    async def observe_cluster(self, region: str, cluster_id: str, /, **fields: Any) -> None:
        """Say how a cluster is."""

    async def cluster_credentials(self, region: str, cluster_id: str, /) -> Mapping[str, str]:
        """What CreateDBCluster was given."""

    async def complete_global(self, global_id: str, writer_arn: str, status: str, /) -> None:
        """Say that a switchover or failover is done."""


class AuroraManager:
    """A reconciler of `rds`."""

    def __init__(
        self,
        layout: RunLayout,
        supervisor: Supervisor,
        admin: RdsAdmin,
        set_writer_endpoint: SetWriterEndpoint,
        pg_bin: Path,
        pg_uid: int | None,
    ) -> None:
        self._layout = layout
        self._supervisor = supervisor
        self._admin = admin
        self._pg_bin, self._pg_uid = pg_bin, pg_uid
        self.events = EventLog(Path(layout.work_dir) / "aurora.events.jsonl")
        nodes = {r.name: Node(layout, r, supervisor, pg_bin, pg_uid) for r in layout.regions}
        self.pair = Pair(nodes, self.events, set_writer_endpoint)
        self._set_writer_endpoint = set_writer_endpoint
        self._view = View({}, None)
        self._observed: dict[str, object] = {}
        self._members: set[str] = set()
        self._owned: set[str] = set()
        self._lock = asyncio.Lock()
        self._background: set[asyncio.Task[None]] = set()
        supervisor.on_death(self._died)

    @property
    def services(self) -> frozenset[str]:
        """Reconciles RDS."""
        return frozenset({"rds"})

    async def prepare(self, making_files: subprocess.Popen[bytes] | None = None) -> None:
        """Have an empty pair stand by before the API asks for one: nothing leads to it yet.

        `making_files` is what makes their files, where that was begun (`files.begin`). NodeFailure where it failed.
        """
        async with self._lock:
            if self.pair.follows:
                return
            making = making_files or files.begin(self._layout, self._pg_bin, self._pg_uid)
            if status := await asyncio.to_thread(making.wait):
                raise NodeFailure(f"no database could be made ({status}): see {files.log_of(self._layout)}")
            await self.pair.raise_pair(self._layout.primary.name, self._layout.standby.name)

    async def reconcile(self, changes: Sequence[Change]) -> None:
        """Bring the nodes in line with the API."""
        if changes and all(change.action in OBSERVATIONS for change in changes):
            return
        async with self._lock:
            self._view = view = await read_view(self._layout)
            await self._drop_deleted(view)
            await self._build(view)
            await self._detach_removed(view)
            for change in changes:
                if change.action in RESTARTS:
                    await self._restart(change)
            joined = view.joined
            if joined is not None and joined.transfer is not None:
                await self._transfer(joined, joined.transfer)
            await self._report(view)

    async def rejoin(self, region: str) -> str:
        """Bring a region's dead node back in the role it has now; how it went, in words. NodeFailure where it cannot."""
        async with self._lock:
            if region not in self.pair.follows:
                return "it has no database"
            how = await self.pair.rejoin(region)
            await self._observe(region, "available")
        return how

    async def thawed(self, region: str) -> None:
        """A region goes on after it was frozen: if its writer was fenced meanwhile, it follows the new one now."""
        async with self._lock:
            if region in self._owned and region in self.pair.meant_down and not self.pair.nodes[region].running:
                await self._rejoin_fenced(region)
                await self._observe(region, "available")

    def zone(self, region: str) -> str:
        """The availability zone of a region's node: its cluster's writer instance's; empty where the API names none."""
        cluster = self._view.clusters.get(region)
        return "" if cluster is None else cluster.zone

    async def not_ready(self) -> list[str]:
        """What is still missing for the pair to serve; empty when it streams."""
        missing = []
        for region in (r.name for r in self._layout.regions):
            if region not in self._view.clusters:
                missing.append(f"aurora: no cluster in {region} in the API")
            elif region not in self._owned:
                missing.append(f"aurora: no database in {region}")
            elif self.pair.follows.get(region) is not None and not await self.pair.streaming(region):
                missing.append(f"aurora: {region} does not stream")
            elif not self.pair.nodes[region].running:
                missing.append(f"aurora: the node of {region} is down")
        return missing

    async def state(self) -> dict[str, Any]:
        """Facts for a person: by region, what its node is and whether it runs and streams."""
        return {
            region: {
                "follows": upstream,
                "running": self.pair.nodes[region].running,
                "streaming": await self.pair.streaming(region),
            }
            for region, upstream in self.pair.follows.items()
        }

    async def lags(self) -> list[SecondaryLag]:
        """How far each secondary cluster is behind, where that is known."""
        known = []
        for region in self._members & self._owned:
            cluster, lag_s = self._view.clusters.get(region), await self.pair.lag_s(region)
            if cluster is not None and lag_s is not None:
                known.append(SecondaryLag(region, cluster.id, lag_s))
        return known

    async def close(self) -> None:
        """Kill the nodes and delete their databases."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*(node.remove() for node in self.pair.nodes.values()))
        self.events.close()

    async def _build(self, view: View) -> None:
        """Databases for clusters that have none."""
        joined = view.joined
        for cluster in sorted(view.clusters.values(), key=lambda c: not _writes(c, joined)):
            region = cluster.region
            if region in self._owned:
                continue
            if _writes(cluster, joined):
                if self.pair.follows.get(region, "") is not None or not self.pair.nodes[region].running:
                    await self.pair.raise_writer(region)
                credentials = await self._admin.cluster_credentials(region, cluster.id)
                await self.pair.nodes[region].create_owner(credentials)
                self._owned.add(region)
                await self._set_writer_endpoint(region, True)
                self.events.record("cluster.serves", region, cluster.id)
            elif joined is not None and joined.writer in self._owned:
                if self.pair.follows.get(region) != joined.writer or not self.pair.nodes[region].running:
                    await self.pair.raise_standby(region, joined.writer)
                self._owned.add(region)
                self._members.add(region)
                await self._set_writer_endpoint(region, False)
                self.events.record("cluster.serves", region, cluster.id)

    async def _drop_deleted(self, view: View) -> None:
        for region in [r for r in self._owned if r not in view.clusters]:
            await self._set_writer_endpoint(region, False)
            self.pair.meant_down.add(region)
            await self.pair.nodes[region].remove()
            self.pair.follows.pop(region, None)
            self._owned.discard(region)
            self._members.discard(region)
            self._observed.pop(region, None)
            self.events.record("cluster.deleted", region)

    async def _detach_removed(self, view: View) -> None:
        """A secondary that left its global cluster becomes a writer of its own."""
        members = set() if view.joined is None else view.joined.members
        for region in [r for r in self._members if r in view.clusters and r not in members]:
            if self.pair.follows.get(region) is not None:
                try:
                    await self.pair.detach(region)
                except (NodeFailure, WaitTimeout, OSError) as e:
                    log.error("%s could not be detached: %s", region, e)
                    continue
            self._members.discard(region)

    async def _transfer(self, joined: GlobalCluster, transfer: Transfer) -> None:
        """Do what SwitchoverGlobalCluster or FailoverGlobalCluster asked for, and tell the API how it ended."""
        source, target = transfer.source, transfer.target
        if self.pair.follows.get(target, "") is None:  # done before, and only the word of it was lost
            await self._admin.complete_global(joined.id, transfer.target_arn, "available")
            return
        try:
            if transfer.loses_data:
                back = await self.pair.fail_over(source, target)
            else:
                await self.pair.switch_over(source, target)
                back = True
        except TransferFailed as e:
            log.error("the transfer to %s failed: %s", target, e)
            await self._admin.complete_global(joined.id, transfer.source_arn, "available")
            return
        self._members.add(source)
        self._members.discard(target)
        await self._admin.complete_global(joined.id, transfer.target_arn, "available")
        if back and not self._supervisor.frozen(source):
            await self._rejoin_fenced(source, handed_over=not transfer.loses_data)

    async def _restart(self, change: Change) -> None:
        """Do what RebootDBInstance or FailoverDBCluster asked for; another instance than the writer has no node."""
        region, node = change.region, self.pair.nodes.get(change.region)
        cluster = self._view.clusters.get(region)
        if node is None or cluster is None or region not in self._owned or not node.running:
            return
        if change.action == "RebootDBInstance" and change.resource not in ("", cluster.writer):
            return
        self.pair.meant_down.add(region)
        await self._observe(region, RESTARTS[change.action])
        self.events.record("node.restarting", region, change.action)
        try:
            await (node.stop() if change.action == "RebootDBInstance" else node.kill())
            await self.pair.rejoin(region)
            self.pair.meant_down.discard(region)
        except (NodeFailure, WaitTimeout) as e:
            log.error("%s did not come back from %s: %s", region, change.action, e)

    async def _rejoin_fenced(self, region: str, *, handed_over: bool = False) -> None:
        """Let a writer that we stopped ourselves follow the new one."""
        try:
            await self.pair.rejoin(region, handed_over=handed_over)
        except (NodeFailure, WaitTimeout) as e:
            log.error("%s could not rejoin: %s", region, e)

    async def _report(self, view: View) -> None:
        for region in view.clusters:
            if region in self._owned:
                await self._observe(region, "available" if self.pair.nodes[region].running else "failed")

    async def _observe(self, region: str, instance_status: str) -> None:
        cluster = self._view.clusters.get(region)
        if cluster is None:
            return
        layout = self._layout.region(region)
        fields: dict[str, Any] = {
            "status": "available",
            "endpoint": layout.writer.host,
            "reader_endpoint": layout.reader.host,
            "port": layout.writer.port,
            "instance_status": instance_status,
        }
        said = (cluster.arn, cluster.instances, cluster.status, instance_status)
        if self._observed.get(region) != said:
            await self._admin.observe_cluster(region, cluster.id, **fields)
            # what the API said of it before is not what it says now
            self._observed[region] = (cluster.arn, cluster.instances, "available", instance_status)

    def _died(self, process: Process) -> None:
        """A node's process has ended: where nobody meant it to, the API is told within milliseconds."""
        region = process.region
        if process.name != PROCESS or region in self.pair.meant_down or region not in self._owned:
            return
        self.events.record("node.died", region, f"exit status {process.returncode}")
        self._in_background(lambda: self._observe(region, "failed"))

    def _in_background(self, work: Callable[[], Any]) -> None:
        async def run() -> None:
            with contextlib.suppress(asyncio.CancelledError):
                try:
                    await work()
                except Exception:  # the slow poll reports again
                    log.exception("could not report")

        task = asyncio.get_running_loop().create_task(run())
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _writes(cluster: Cluster, joined: GlobalCluster | None) -> bool:
    """Whether a cluster without a database is to be a writer: alone, or as its global cluster's primary."""
    return joined is None or cluster.region not in joined.members or joined.writer == cluster.region
