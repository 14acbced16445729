"""What moto's services ask of each other, asked of the AWS API where another emulator answers for the neighbour.

moto looks a subnet of a subnet group up in its own EC2, a cluster's key in its own KMS and a function's role in its own
IAM. Where those live in another emulator, moto's are empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from moto.ec2.exceptions import InvalidSubnetIdError
from moto.ec2.models.subnets import SubnetBackend
from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend

from infra_fixtures.control_plane.overlays.patching import replaces
from infra_fixtures.global_services import GLOBAL
from infra_fixtures.internal_api.clients import client
from infra_fixtures.run_layout import RunLayout

_layouts: list[RunLayout] = []
"""The run's layout, once it is known that it has other emulators."""


@dataclass(frozen=True, slots=True)
class Subnet:
    """As much of a subnet as a subnet group tells of it."""

    id: str
    vpc_id: str
    availability_zone: str


def apply(layout: RunLayout) -> None:
    """Make moto ask; where it answers for everything itself, nothing changes."""
    if _layouts or not layout.emulators:
        return
    _layouts.append(layout)
    if layout.emulator_for("ec2", layout.primary.name):
        replaces(SubnetBackend, "get_subnet")(_subnet)
    if layout.emulator_for("iam", GLOBAL):
        replaces(IAMBackend, "get_role_by_arn")(_role)


def neighbour(service: str, region: str) -> Any:
    """A client of a service that another emulator answers for; None where moto does."""
    for layout in _layouts:
        if layout.emulator_for(service, region):
            return client(layout, service, region)
    return None


def _subnet(self: Any, subnet_id: str) -> Subnet:
    try:
        found = neighbour("ec2", self.region_name).describe_subnets(SubnetIds=[subnet_id])["Subnets"][0]
    except ClientError as e:
        raise InvalidSubnetIdError(subnet_id) from e
    return Subnet(found["SubnetId"], found["VpcId"], found["AvailabilityZone"])


def _role(self: IAMBackend, arn: str) -> Any:
    try:
        return client(_layouts[0], "iam", _layouts[0].primary.name).get_role(RoleName=arn.rpartition("/")[2])["Role"]
    except ClientError as e:
        raise NotFoundException(f"Role {arn} not found") from e
