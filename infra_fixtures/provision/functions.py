"""What each function of the system is: its code, its role and limits, and what its environment tells it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from infra_fixtures.provision import compute
from infra_fixtures.provision.api import Api
from infra_fixtures.provision.compute import Function
from infra_fixtures.provision.database import Cluster, Secret
from infra_fixtures.provision.identity import Roles
from infra_fixtures.provision.naming import Names
from infra_fixtures.provision.network import Network
from infra_fixtures.topology import RegionPlan, Topology
from infra_fixtures.workload import package

TRANSFER_LIMIT_S = 120
"""How long the controller waits for a switchover, and again for a failover."""
CANARY_SPARE_S = 15
"""What an invocation of the canary may take beyond its probing: a cold start, a last slow probe and its report."""
READER_TIMEOUT_S = 60


def orders(
    topology: Topology,
    names: Names,
    plan: RegionPlan,
    roles: Roles,
    *,
    cluster: Cluster,
    secret: Secret,
    bucket: str,
    network: Network,
) -> Function:
    """The order API of a region."""
    return Function(
        name=names.orders,
        module=package.ORDER_API,
        role=roles.orders[plan.name],
        timeout_s=topology.function_timeout_s,
        memory_mb=plan.capacity.memory_mb,
        environment={
            **_reading(topology, cluster, secret, plan.name),
            "DB_WRITER_HOST": cluster.writer,
            "RECEIPTS_BUCKET": bucket,
            "HEALTHY_WHEN": "writable" if plan == topology.primary else "readable",
        },
        network=network,
        reserved=plan.capacity.reserved_concurrency,
        alias=True,
    )


def reader(
    topology: Topology,
    names: Names,
    plan: RegionPlan,
    roles: Roles,
    *,
    cluster: Cluster,
    secret: Secret,
    network: Network,
) -> Function:
    """What reads a region's database for the harness."""
    return Function(
        name=names.reader,
        module=package.READER,
        role=roles.readers[plan.name],
        timeout_s=READER_TIMEOUT_S,
        memory_mb=compute.MEMORY_MB,
        environment=_reading(topology, cluster, secret, plan.name),
        network=network,
    )


def canary(topology: Topology, names: Names, roles: Roles, *, primary_api: Api, edge: str | None) -> Function:
    """What looks at the primary from the standby; `edge` is the primary's, as host:port, where its name cannot be resolved."""
    t, plan = topology, topology.canary
    standard = t.edge_port == (443 if t.edge_scheme == "https" else 80)
    at = edge or (primary_api.host if standard else f"{primary_api.host}:{t.edge_port}")
    return Function(
        name=names.canary,
        module=package.CANARY,
        role=roles.canary,
        timeout_s=CANARY_SPARE_S + math.ceil(plan.duration_s),
        memory_mb=compute.MEMORY_MB,
        environment={
            "PRIMARY_HEALTH_URL": f"{t.edge_scheme}://{at}/{t.stage}{t.health_check.path}",
            **({"PRIMARY_HEALTH_HOST": primary_api.host} if edge else {}),
            "CANARY_INTERVAL_S": f"{plan.interval_s:g}",
            "CANARY_DURATION_S": f"{plan.duration_s:g}",
            "CANARY_TIMEOUT_S": f"{plan.timeout_s:g}",
            "CANARY_NAMESPACE": plan.namespace,
            "CANARY_METRIC": plan.metric,
            "CANARY_RUN": names.run_id,
        },
    )


def controller(
    topology: Topology, names: Names, roles: Roles, *, clusters: Mapping[str, Cluster], check: str, alarm: str
) -> Function:
    """The failover controller; `check` is the primary's health check."""
    t, raised = topology, topology.primary.capacity
    return Function(
        name=names.controller,
        module=package.CONTROLLER,
        role=roles.controller,
        timeout_s=t.controller_timeout_s,
        memory_mb=t.standby.capacity.memory_mb,
        environment={
            "PRIMARY_REGION": t.primary.name,
            "GLOBAL_CLUSTER_ID": names.global_cluster,
            "PRIMARY_CLUSTER_ARN": clusters[t.primary.name].arn,
            "STANDBY_CLUSTER_ARN": clusters[t.standby.name].arn,
            "PRIMARY_HEALTH_CHECK_ID": check,
            "ALARM_NAME": alarm,
            "ORDERS_FUNCTION": names.orders,
            "ORDERS_ALIAS": compute.ALIAS,
            "RAISED_RESERVED": str(raised.reserved_concurrency),
            "RAISED_SCALING_MIN": str(raised.scaling_min),
            "RAISED_SCALING_MAX": str(raised.scaling_max),
            "RAISED_PROVISIONED": str(raised.provisioned_concurrency),
            "TRANSFER_LIMIT_S": str(TRANSFER_LIMIT_S),
        },
    )


def _reading(topology: Topology, cluster: Cluster, secret: Secret, region: str) -> dict[str, str]:
    """How a function reaches its region's database to read."""
    return {
        "DB_READER_HOST": cluster.reader,
        "DB_PORT": str(cluster.port),
        "DB_NAME": topology.database,
        "DB_SECRET_ARN": secret.arns[region],
        "DB_TLS": topology.database_tls,
    }
