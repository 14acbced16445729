"""What provisioning made: every id that faults, probes, traffic and people need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec


class Clients(Protocol):
    """Where boto3 clients come from; region None is a global service's."""

    def client(self, service: str, region: str | None) -> Any:
        """A boto3 client."""


class DeployedRegion(msgspec.Struct, frozen=True):
    """What stands in one region; `groups`, `acls` and `subnets` are by the topology's names."""

    vpc_id: str
    subnets: Mapping[str, str]
    groups: Mapping[str, str]
    acls: Mapping[str, str]
    key_arn: str
    bucket: str
    cluster_id: str
    cluster_arn: str
    instance_id: str
    secret_arn: str
    api_id: str
    api_host: str
    health_check_id: str


class Deployed(msgspec.Struct, frozen=True):
    """What stands altogether. `api_key` is a secret: it goes into no record."""

    run_id: str
    topology_digest: str
    zone_id: str
    api_name: str
    api_key: str
    stage: str
    orders_function: str
    controller_function: str
    canary_function: str
    global_cluster_id: str
    alarm_name: str
    topic_arn: str
    regions: Mapping[str, DeployedRegion]
