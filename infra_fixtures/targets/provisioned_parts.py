"""The parts of a system that provisioning made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra_fixtures.provision.deployed import Deployed
from infra_fixtures.targets.parts import (
    AlarmPart,
    ApiPart,
    BucketPart,
    Cluster,
    ControllerPart,
    DatabasePart,
    DnsPart,
    FunctionsPart,
    HealthChecksPart,
    HeartbeatPart,
    Network,
    NetworkPart,
    WorkloadPart,
)
from infra_fixtures.targets.world import Endpoint
from traffic.contract import Contract

KINDS: frozenset[type] = frozenset(
    {
        AlarmPart,
        ApiPart,
        BucketPart,
        ControllerPart,
        DatabasePart,
        DnsPart,
        FunctionsPart,
        HealthChecksPart,
        HeartbeatPart,
        NetworkPart,
        WorkloadPart,
    }
)
"""What a system that was provisioned with the order API has."""


def provisioned_parts(deployed: Deployed, contract: Contract, endpoints: Mapping[str, Endpoint]) -> Mapping[type, Any]:
    """Every part, by its type; `contract` is the application's, `endpoints` are its own in each region."""
    regions = deployed.regions
    parts = [
        WorkloadPart(contract),
        ApiPart(endpoints),
        DnsPart(deployed.api_name),
        HealthChecksPart({name: made.health_check_id for name, made in regions.items()}),
        FunctionsPart(deployed.orders_function),
        ControllerPart(deployed.controller_function),
        DatabasePart(
            deployed.global_cluster_id,
            {name: Cluster(made.cluster_id, made.cluster_arn) for name, made in regions.items()},
        ),
        NetworkPart(
            {name: Network(made.vpc_id, made.private_subnets, made.database_group_id) for name, made in regions.items()}
        ),
        BucketPart({name: made.bucket for name, made in regions.items()}),
        AlarmPart(deployed.alarm_name),
    ]
    beats = [HeartbeatPart(contract.beat)] if contract.beat is not None else []
    return {type(part): part for part in [*parts, *beats]}
