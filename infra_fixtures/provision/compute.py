"""The compute layer: Lambda functions deployed as zips, in the private subnets where they use the database, and their scaling.

Requests go to an alias, because provisioned concurrency and its scaling exist for aliases and versions only.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from drill.wait import wait_until
from infra_fixtures.provision.boto_errors import ignore_errors, retry_while
from infra_fixtures.provision.naming import Names
from infra_fixtures.provision.network import Network
from infra_fixtures.topology import FUNCTION_GROUP, RegionPlan, Topology
from infra_fixtures.workload import package

ALIAS = "live"
ROLE_SEEN_WITHIN_S = 60.0
"""A fresh role is refused by Lambda until IAM has told everyone of it."""
ACTIVE_WITHIN_S = 300.0
MEMORY_MB = 256
SCALING = {"ServiceNamespace": "lambda", "ScalableDimension": "lambda:function:ProvisionedConcurrency"}
SCALING_POLICY = "utilisation"
TARGET_UTILISATION = 0.7


@dataclass(frozen=True, slots=True)
class Function:
    """What a function is to be; `alias` whether requests go to an alias of it."""

    name: str
    module: str
    role: str
    timeout_s: int
    memory_mb: int
    environment: Mapping[str, str]
    network: Network | None = None
    reserved: int | None = None
    alias: bool = False


def function(lambda_: Any, topology: Topology, names: Names, desired: Function) -> str:
    """Make or mend a function; its ARN, without qualifier."""
    code = package.build(desired.module)
    settings: dict[str, Any] = {
        "FunctionName": desired.name,
        "Role": desired.role,
        "Runtime": topology.runtime,
        "Handler": package.handler_of(desired.module),
        "Timeout": desired.timeout_s,
        "MemorySize": desired.memory_mb,
        "Environment": {"Variables": dict(desired.environment)},
    }
    if desired.network is not None:
        settings["VpcConfig"] = {
            "SubnetIds": list(desired.network.private),
            "SecurityGroupIds": [desired.network.groups[FUNCTION_GROUP]],
        }
    existing = ignore_errors("ResourceNotFoundException", lambda_.get_function_configuration, FunctionName=desired.name)
    if existing is None:
        existing = retry_while(
            "InvalidParameterValueException",
            lambda_.create_function,
            what=f"Lambda to accept the role of {desired.name}",
            saying="role",
            timeout_s=ROLE_SEEN_WITHIN_S,
            Code={"ZipFile": code},
            Publish=desired.alias,
            Tags=names.tags(desired.module),
            **settings,
        )
        _await_active(lambda_, existing)
    elif _await_active(lambda_, existing) and _update(lambda_, existing, settings, code) and desired.alias:
        existing = lambda_.publish_version(FunctionName=desired.name)
        ignore_errors(
            "ResourceNotFoundException",
            lambda_.update_alias,
            FunctionName=desired.name,
            Name=ALIAS,
            FunctionVersion=existing["Version"],
        )
    if desired.alias and not _has_alias(lambda_, desired.name):
        version = existing.get("Version", "$LATEST")
        if version == "$LATEST":
            version = lambda_.publish_version(FunctionName=desired.name)["Version"]
        lambda_.create_alias(FunctionName=desired.name, Name=ALIAS, FunctionVersion=version)
    if desired.reserved is not None:
        _reserve(lambda_, desired.name, desired.reserved)
    return f"{_account_arn(str(existing['FunctionArn']))}:{desired.name}"


def scaling(autoscaling: Any, lambda_: Any, plan: RegionPlan, names: Names) -> None:
    """Let Application Auto Scaling follow the order API's utilisation, within the plan's capacity."""
    resource = f"function:{names.orders}:{ALIAS}"
    capacity = plan.capacity
    found = autoscaling.describe_scalable_targets(ServiceNamespace="lambda", ResourceIds=[resource])["ScalableTargets"]
    policies = autoscaling.describe_scaling_policies(
        ServiceNamespace="lambda", PolicyNames=[names.of(SCALING_POLICY)], ResourceId=resource
    )["ScalingPolicies"]
    wanted = (capacity.scaling_min, capacity.scaling_max)
    if policies and any((t["MinCapacity"], t["MaxCapacity"]) == wanted for t in found):
        return
    autoscaling.register_scalable_target(
        **SCALING, ResourceId=resource, MinCapacity=capacity.scaling_min, MaxCapacity=capacity.scaling_max
    )
    autoscaling.put_scaling_policy(
        **SCALING,
        ResourceId=resource,
        PolicyName=names.of(SCALING_POLICY),
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": TARGET_UTILISATION,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "LambdaProvisionedConcurrencyUtilization"},
        },
    )
    if capacity.provisioned_concurrency:
        lambda_.put_provisioned_concurrency_config(
            FunctionName=names.orders,
            Qualifier=ALIAS,
            ProvisionedConcurrentExecutions=capacity.provisioned_concurrency,
        )


def permit(lambda_: Any, name: str, statement: str, principal: str, source_arn: str, *, alias: bool = False) -> None:
    """Let an AWS service invoke a function for one source; a statement of that name that is there already stands."""
    qualifier = {"Qualifier": ALIAS} if alias else {}
    existing = ignore_errors("ResourceNotFoundException", lambda_.get_policy, FunctionName=name, **qualifier)
    if existing is not None and any(s["Sid"] == statement for s in json.loads(existing["Policy"])["Statement"]):
        return
    lambda_.add_permission(
        FunctionName=name,
        StatementId=statement,
        Action="lambda:InvokeFunction",
        Principal=principal,
        SourceArn=source_arn,
        **qualifier,
    )


def limit_retries(lambda_: Any, name: str, attempts: int, most_age_s: int) -> None:
    """How often, and for how long, an asynchronous invocation of the function is tried again."""
    existing = ignore_errors("ResourceNotFoundException", lambda_.get_function_event_invoke_config, FunctionName=name)
    if existing is None:
        lambda_.put_function_event_invoke_config(
            FunctionName=name, MaximumRetryAttempts=attempts, MaximumEventAgeInSeconds=most_age_s
        )


def tear_down_scaling(autoscaling: Any, names: Names) -> None:
    """Delete the order API's scaling."""
    resource = f"function:{names.orders}:{ALIAS}"
    policy = {**SCALING, "ResourceId": resource, "PolicyName": names.of(SCALING_POLICY)}
    ignore_errors("ObjectNotFoundException", autoscaling.delete_scaling_policy, **policy)
    ignore_errors("ObjectNotFoundException", autoscaling.deregister_scalable_target, **SCALING, ResourceId=resource)


def tear_down(lambda_: Any, names: Names) -> None:
    """Delete the run's functions in this region."""
    for name in (names.orders, names.controller, names.canary, names.reader):
        ignore_errors("ResourceNotFoundException", lambda_.delete_function, FunctionName=name)


def _await_active(lambda_: Any, made: Mapping[str, Any]) -> bool:
    """True, once it is active: a function in a VPC is Pending until its network interfaces are there."""
    if made.get("State", "Active") == "Active":
        return True
    return wait_until(
        lambda: bool(lambda_.get_function_configuration(FunctionName=made["FunctionName"])["State"] == "Active"),
        what=f"the function {made['FunctionName']} to be active",
        timeout_s=ACTIVE_WITHIN_S,
        every_s=1.0,
    )


def _update(lambda_: Any, existing: Mapping[str, Any], settings: Mapping[str, Any], code: bytes) -> bool:
    """Bring a function to what it should be; whether anything had to be done."""
    name, updated = settings["FunctionName"], False
    vpc = existing.get("VpcConfig") or {}
    desired_vpc = settings.get("VpcConfig", {})
    same = (
        all(existing.get(k) == settings[k] for k in ("Role", "Runtime", "Handler", "Timeout", "MemorySize"))
        and existing.get("Environment", {}).get("Variables", {}) == settings["Environment"]["Variables"]
        and all(sorted(vpc.get(k, ())) == sorted(v) for k, v in desired_vpc.items())
    )
    if not same:
        lambda_.update_function_configuration(**settings)
        _await_updated(lambda_, name)
        updated = True
    if existing["CodeSha256"] != base64.b64encode(hashlib.sha256(code).digest()).decode():
        lambda_.update_function_code(FunctionName=name, ZipFile=code)
        _await_updated(lambda_, name)
        updated = True
    return updated


def _await_updated(lambda_: Any, name: str) -> None:
    wait_until(
        lambda: (
            lambda_.get_function_configuration(FunctionName=name).get("LastUpdateStatus", "Successful") == "Successful"
        ),
        what=f"the update of {name}",
        timeout_s=ACTIVE_WITHIN_S,
        every_s=0.5,
    )


def _has_alias(lambda_: Any, name: str) -> bool:
    return ignore_errors("ResourceNotFoundException", lambda_.get_alias, FunctionName=name, Name=ALIAS) is not None


def _reserve(lambda_: Any, name: str, reserved: int) -> None:
    try:
        existing = lambda_.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
    except ClientError as e:
        if e.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        existing = None
    if existing != reserved:
        lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)


def _account_arn(function_arn: str) -> str:
    """The part of a function's ARN before its name."""
    return ":".join(function_arn.split(":")[:6])
