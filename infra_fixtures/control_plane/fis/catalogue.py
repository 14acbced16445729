"""The actions of FIS: those that this model does, and those of AWS that it has to refuse by name.

https://docs.aws.amazon.com/fis/latest/userguide/fis-actions-reference.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra_fixtures.control_plane.fis.actions import (
    alarms,
    automation,
    connectivity,
    databases,
    endpoints,
    invocations,
    s3_replication,
    waiting,
)
from infra_fixtures.control_plane.fis.actions.action import Action, Parameter
from infra_fixtures.control_plane.fis.refusals import Invalid, NotFound
from infra_fixtures.control_plane.fis.targets import TARGET_TYPES

ACTIONS: Mapping[str, Action] = {
    action.id: action
    for family in (alarms, automation, connectivity, databases, endpoints, invocations, s3_replication, waiting)
    for action in family.ACTIONS
}

ON_AWS_ONLY = frozenset(
    f"aws:{name}"
    for name in (
        "arc:start-zonal-autoshift",
        "cloudwatch:assert-alarm-state",
        "directconnect:virtual-interface-disconnect",
        "dsql:cluster-connection-failure",
        "dynamodb:global-table-pause-replication",
        "ebs:pause-volume-io",
        "ebs:volume-io-latency",
        "ec2:api-insufficient-instance-capacity-error",
        "ec2:asg-insufficient-instance-capacity-error",
        "ec2:reboot-instances",
        "ec2:send-spot-instance-interruptions",
        "ec2:stop-instances",
        "ec2:terminate-instances",
        "ecs:drain-container-instances",
        "ecs:stop-task",
        "ecs:task-cpu-stress",
        "ecs:task-io-stress",
        "ecs:task-kill-process",
        "ecs:task-network-blackhole-port",
        "ecs:task-network-latency",
        "ecs:task-network-packet-loss",
        "eks:inject-kubernetes-custom-resource",
        "eks:pod-cpu-stress",
        "eks:pod-delete",
        "eks:pod-io-stress",
        "eks:pod-memory-stress",
        "eks:pod-network-blackhole-port",
        "eks:pod-network-latency",
        "eks:pod-network-packet-loss",
        "eks:terminate-nodegroup-instances",
        "elasticache:interrupt-cluster-az-power",
        "elasticache:replicationgroup-interrupt-az-power",
        "fis:inject-api-internal-error",
        "fis:inject-api-throttle-error",
        "fis:inject-api-unavailable-error",
        "kinesis:stream-expired-iterator-exception",
        "kinesis:stream-provisioned-throughput-exception",
        "lambda:invocation-add-delay",
        "lambda:invocation-error",
        "lambda:invocation-http-integration-response",
        "memorydb:multi-region-cluster-pause-replication",
        "network:disrupt-vpc-endpoint",
        "network:route-table-disrupt-cross-region-connectivity",
        "network:transit-gateway-disrupt-cross-region-connectivity",
        "rds:failover-db-cluster",
        "rds:reboot-db-instances",
        "s3:bucket-pause-replication",
        "ssm:send-command",
        "ssm:start-automation-execution",
    )
)
"""Actions of AWS; those that are not in ACTIONS are refused as what this model lacks, any other as AWS refuses it."""


def action(identity: str) -> Action:
    """An action by its id; Invalid where only AWS has it, NotFound where nobody does."""
    found = ACTIONS.get(identity)
    if found is not None:
        return found
    if identity in ON_AWS_ONLY:
        raise Invalid(f"Action {identity} is not available here: this model of AWS does not have what it acts on.")
    raise NotFound(f"Action with ID {identity} not found.")


def summary_of(found: Action, region: str, account_id: str) -> dict[str, Any]:
    """An action as ListActions gives it."""
    said: dict[str, Any] = {
        "id": found.id,
        "arn": f"arn:aws:fis:{region}:{account_id}:action/{found.id}",
        "description": found.description,
        "tags": {},
    }
    if found.target:
        said["targets"] = {found.target[0]: {"resourceType": found.target[1]}}
    return said


def description_of(found: Action, region: str, account_id: str) -> dict[str, Any]:
    """An action as GetAction gives it."""
    return {**summary_of(found, region, account_id), "parameters": _parameters(found.parameters)}


def target_type_of(resource_type: str) -> dict[str, Any]:
    """A target type as GetTargetResourceType gives it; NotFound where this model has none such."""
    found = TARGET_TYPES.get(resource_type)
    if found is None:
        raise NotFound(f"Target resource type {resource_type} not found.")
    return {
        "resourceType": resource_type,
        "description": found.description,
        "parameters": _parameters(found.parameters),
    }


def _parameters(parameters: Mapping[str, Parameter]) -> dict[str, Any]:
    return {name: {"description": p.description, "required": p.required} for name, p in parameters.items()}
