"""The AWS parts of an attached system, as its description names them: ids and names of what its owner made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from infra_fixtures.targets.parts import (
    AlarmPart,
    BucketPart,
    Cluster,
    ControllerPart,
    DatabasePart,
    FunctionsPart,
    HealthChecksPart,
    Network,
    NetworkPart,
)

Named = Annotated[str, msgspec.Meta(min_length=1)]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of the file; a name that is not one of its own is a mistake."""


class InBoth(_Table, frozen=True):
    """One for each site."""

    primary: Named
    standby: Named


class GlobalDatabase(_Table, frozen=True):
    """An Aurora global cluster by its identifier, and its cluster in each region by ARN."""

    global_cluster: Named
    primary_cluster_arn: Named
    standby_cluster_arn: Named


class Vpc(_Table, frozen=True):
    """A region's VPC: its private subnets, and the security group of the database."""

    vpc: Named
    private_subnets: Annotated[tuple[Named, ...], msgspec.Meta(min_length=1)]
    database_group: Named


class Vpcs(_Table, frozen=True):
    """One for each site."""

    primary: Vpc
    standby: Vpc


class Tagged(_Table, frozen=True):
    """Parts that are found by tag: resources tagged `key`=`value`, each of which says by its tag `part` which it is."""

    key: Named
    value: Named
    part: Named = "dr-drill-part"


class Aws(_Table, frozen=True):
    """What of the system is in an AWS account; the sites are then called by the names of their regions.

    `stack` or `tags`: what is not written here is read from the outputs of a CloudFormation stack, or found by tag.
    `endpoints`: an emulator's, by region and `global`; none: AWS.
    """

    database: GlobalDatabase | None = None
    buckets: InBoth | None = None
    health_checks: InBoth | None = None
    network: Vpcs | None = None
    function: Named | None = None
    controller: Named | None = None
    alarm: Named | None = None
    stack: Named | None = None
    tags: Tagged | None = None
    endpoints: dict[str, str] = {}

    def parts(self, primary: str, standby: str) -> Iterator[Any]:
        """Those that are named, for the world."""
        if self.database is not None:
            arns = {primary: self.database.primary_cluster_arn, standby: self.database.standby_cluster_arn}
            yield DatabasePart(
                self.database.global_cluster, {r: Cluster(arn.rpartition(":")[2], arn) for r, arn in arns.items()}
            )
        if self.buckets is not None:
            yield BucketPart({primary: self.buckets.primary, standby: self.buckets.standby})
        if self.health_checks is not None:
            yield HealthChecksPart({primary: self.health_checks.primary, standby: self.health_checks.standby})
        if self.network is not None:
            vpcs = {primary: self.network.primary, standby: self.network.standby}
            yield NetworkPart({r: Network(v.vpc, v.private_subnets, v.database_group) for r, v in vpcs.items()})
        if self.function is not None:
            yield FunctionsPart(self.function)
        if self.controller is not None:
            yield ControllerPart(self.controller)
        if self.alarm is not None:
            yield AlarmPart(self.alarm)
