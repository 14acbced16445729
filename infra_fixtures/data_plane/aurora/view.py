"""What the RDS API says there should be: clusters by region, and the global cluster that joins them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra_fixtures.internal_api.clients import call, client
from infra_fixtures.run_layout import RunLayout


@dataclass(frozen=True, slots=True)
class Cluster:
    """A DB cluster: `instances` are the ids of its DB instances, `zone` is where its writer instance (else the first) is.

    `writer` is that instance's id. The one node of a region stands for it.
    """

    region: str
    id: str
    arn: str
    status: str
    instances: tuple[str, ...]
    zone: str = ""
    writer: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """A switchover or failover that the API has accepted and the data plane has to do."""

    source: str
    """Region of the cluster that gives the writer's role up."""
    target: str
    target_arn: str
    source_arn: str
    loses_data: bool


@dataclass(frozen=True, slots=True)
class GlobalCluster:
    """A global cluster: `writer` and `members` are regions; `transfer` is what it waits for."""

    id: str
    status: str
    writer: str | None
    members: frozenset[str]
    transfer: Transfer | None


@dataclass(frozen=True, slots=True)
class View:
    """One look at the API: a region holds at most one cluster of ours, the global cluster's member first."""

    clusters: Mapping[str, Cluster]
    joined: GlobalCluster | None


async def read_view(layout: RunLayout) -> View:
    """Read it; botocore's errors pass through."""
    regions = [r.name for r in layout.regions]
    apis = [await call(client, layout, "rds", name) for name in regions]
    answers = await asyncio.gather(
        *(call(api.describe_db_clusters) for api in apis),
        *(call(api.describe_db_instances) for api in apis),
    )
    # read last: a cluster that was already there is then already known as a member, and not taken for one of its own
    joined = _global((await call(apis[0].describe_global_clusters))["GlobalClusters"])
    clusters: dict[str, Cluster] = {}
    for name, described, instances in zip(regions, answers[:2], answers[2:], strict=True):
        found = [_cluster(name, c, instances["DBInstances"]) for c in described["DBClusters"]]
        member_arns = set() if joined is None else joined[1]
        found.sort(key=lambda c: c.arn not in member_arns)
        if found:
            clusters[name] = found[0]
    return View(clusters, None if joined is None else joined[0])


def _cluster(region: str, described: Mapping[str, Any], instances: list[Mapping[str, Any]]) -> Cluster:
    identity = described["DBClusterIdentifier"]
    own = {i["DBInstanceIdentifier"]: i for i in instances if i.get("DBClusterIdentifier") == identity}
    writers = [m["DBInstanceIdentifier"] for m in described.get("DBClusterMembers", []) if m.get("IsClusterWriter")]
    writer = next((name for name in (*writers, *own) if name in own), "")
    zone = own[writer].get("AvailabilityZone", "") if writer else ""
    return Cluster(region, identity, described["DBClusterArn"], described.get("Status", ""), tuple(own), zone, writer)


def _global(described: list[Mapping[str, Any]]) -> tuple[GlobalCluster, set[str]] | None:
    """The first global cluster with members, and their ARNs."""
    for one in described:
        members = one.get("GlobalClusterMembers", [])
        if not members:
            continue
        writer = next((m["DBClusterArn"] for m in members if m.get("IsWriter")), None)
        arns = {m["DBClusterArn"] for m in members}
        return (
            GlobalCluster(
                one["GlobalClusterIdentifier"],
                one.get("Status", ""),
                None if writer is None else region_of(writer),
                frozenset(region_of(arn) for arn in arns),
                _transfer(one.get("FailoverState") or {}),
            ),
            arns,
        )
    return None


def _transfer(state: Mapping[str, Any]) -> Transfer | None:
    if not (state.get("ToDbClusterArn") and state.get("FromDbClusterArn")) or state.get("Status") == "cancelling":
        return None
    source, target = state["FromDbClusterArn"], state["ToDbClusterArn"]
    return Transfer(region_of(source), region_of(target), target, source, bool(state.get("IsDataLossAllowed")))


def region_of(arn: str) -> str:
    """The region in an ARN."""
    return arn.split(":")[3]
