"""Whether the account can carry the system, asked before anything is made: engine versions, instance classes, quotas.

What AWS says no to is a sentence; so is what could not be asked, which forbids nothing and is part of the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from drill.unusable import UnusableInput
from infra_fixtures.topology import RegionPlan, Topology

UNRESERVED_LEAST = 100
"""What must stay unreserved of an account's concurrency
(https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html)."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota by its code (https://docs.aws.amazon.com/servicequotas/), and how many of it the system takes in a region."""

    service: str
    code: str
    what: str
    takes: int
    used: Callable[[Callable[[str], Any]], int]


QUOTAS = (
    Quota("vpc", "L-F678F1CE", "VPCs", 1, lambda at: len(at("ec2").describe_vpcs()["Vpcs"])),
    Quota("vpc", "L-A4707A72", "internet gateways", 1,
          lambda at: len(at("ec2").describe_internet_gateways()["InternetGateways"])),
    Quota("rds", "L-952B80B8", "DB clusters", 1, lambda at: len(at("rds").describe_db_clusters()["DBClusters"])),
    Quota("rds", "L-7B6409FD", "DB instances", 1, lambda at: len(at("rds").describe_db_instances()["DBInstances"])),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Feasible:
    """Sentences: what is in the way, and what could not be asked."""

    objections: tuple[str, ...]
    unknown: tuple[str, ...]

    def require(self) -> None:
        """Raise UnusableInput, with all that is in the way."""
        if self.objections:
            raise UnusableInput("\n".join(self.objections))


def feasible(client: Callable[[str, str | None], Any], topology: Topology) -> Feasible:
    """Ask the account in both regions, of a system of which nothing is there yet."""
    unknown: list[str] = []
    objections: list[str] = []
    for plan in topology.regions:

        def at(service: str, region: str = plan.name) -> Any:
            return client(service, region)

        for what, look in (
            ("engine versions", _versions),
            ("instance classes", _classes),
            ("Lambda's concurrency", _concurrency),
            ("quotas", _quotas),
        ):
            try:
                objections += [f"{plan.name}: {sentence}" for sentence in look(at, topology, plan)]
            except (ClientError, BotoCoreError) as e:
                unknown.append(
                    f"{what} in {plan.name} could not be asked ({_code(e)}): nobody knows whether they suffice"
                )
    return Feasible(tuple(objections), tuple(unknown))


def _versions(at: Callable[[str], Any], topology: Topology, plan: RegionPlan) -> Iterator[str]:
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBEngineVersion.html, SupportsGlobalDatabases."""
    pages = at("rds").get_paginator("describe_db_engine_versions").paginate(Engine=topology.engine)
    able = [
        str(v["EngineVersion"]) for page in pages for v in page["DBEngineVersions"] if v.get("SupportsGlobalDatabases")
    ]
    if topology.engine_version not in able:
        major = topology.engine_version.partition(".")[0]
        near = ", ".join(v for v in able if v.partition(".")[0] == major) or ", ".join(able) or "none"
        yield (
            f"{topology.engine} {topology.engine_version} can be in no global database there: give --aws-engine-version, one of "
            f"{near}"
        )


def _classes(at: Callable[[str], Any], topology: Topology, plan: RegionPlan) -> Iterator[str]:
    kind = plan.capacity.instance_class
    options = at("rds").describe_orderable_db_instance_options(
        Engine=topology.engine, EngineVersion=topology.engine_version, DBInstanceClass=kind
    )["OrderableDBInstanceOptions"]
    if not options:
        yield f"{kind} is not to be had for {topology.engine} {topology.engine_version}: choose another in the topology"


def _concurrency(at: Callable[[str], Any], topology: Topology, plan: RegionPlan) -> Iterator[str]:
    free = at("lambda").get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    wanted = plan.capacity.reserved_concurrency
    if free - wanted < UNRESERVED_LEAST:
        yield (
            f"{free} concurrent executions of Lambda are unreserved, the system reserves {wanted} and {UNRESERVED_LEAST} must "
            "be left: have the quota L-B99A9384 raised"
        )


def _quotas(at: Callable[[str], Any], topology: Topology, plan: RegionPlan) -> Iterator[str]:
    for quota in QUOTAS:
        most = int(
            at("service-quotas").get_service_quota(ServiceCode=quota.service, QuotaCode=quota.code)["Quota"]["Value"]
        )
        used = quota.used(at)
        if used + quota.takes > most:
            yield (
                f"{used} of {most} {quota.what} are there, and the system takes {quota.takes}: remove one, or have the quota "
                f"{quota.code} raised"
            )


def _code(error: Exception) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__
