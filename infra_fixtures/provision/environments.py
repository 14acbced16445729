"""What the functions are told by their environment variables."""

from __future__ import annotations

from collections.abc import Mapping

from infra_fixtures.provision import compute
from infra_fixtures.provision.api import Api
from infra_fixtures.provision.database import Cluster, Secret
from infra_fixtures.provision.naming import Names
from infra_fixtures.topology import Topology

TRANSFER_LIMIT_S = 120
"""How long the controller waits for a switchover, and again for a failover."""


def of_database(topology: Topology, own: Cluster, secret: Secret, region: str) -> dict[str, str]:
    """How a function reaches its region's database to read."""
    return {
        "DB_READER_HOST": own.reader,
        "DB_PORT": str(own.port),
        "DB_NAME": topology.database,
        "DB_SECRET_ARN": secret.arns[region],
        "DB_TLS": topology.database_tls,
    }


def of_canary(topology: Topology, names: Names, primary_api: Api, edge: str | None) -> dict[str, str]:
    """Of the canary; `edge` is the primary's, as host:port, where its name cannot be resolved."""
    t, canary = topology, topology.canary
    standard = t.edge_port == (443 if t.edge_scheme == "https" else 80)
    at = edge or (primary_api.host if standard else f"{primary_api.host}:{t.edge_port}")
    return {
        "PRIMARY_HEALTH_URL": f"{t.edge_scheme}://{at}/{t.stage}{t.health_check.path}",
        **({"PRIMARY_HEALTH_HOST": primary_api.host} if edge else {}),
        "CANARY_INTERVAL_S": f"{canary.interval_s:g}",
        "CANARY_DURATION_S": f"{canary.duration_s:g}",
        "CANARY_TIMEOUT_S": f"{canary.timeout_s:g}",
        "CANARY_NAMESPACE": canary.namespace,
        "CANARY_METRIC": canary.metric,
        "CANARY_RUN": names.run_id,
    }


def of_controller(
    topology: Topology, names: Names, clusters: Mapping[str, Cluster], check: str, alarm: str
) -> dict[str, str]:
    """Of the failover controller; `check` is the primary's health check."""
    t, raised = topology, topology.primary.capacity
    return {
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
    }
