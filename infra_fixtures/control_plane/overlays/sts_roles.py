"""The credentials of an assumed role are those that the front knows, and only a role that is there can be assumed.

moto makes up keys that nobody checks, for any ARN. Trust policies are not evaluated here.
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from __future__ import annotations

import re
from typing import Any

from moto.core.exceptions import ServiceException
from moto.iam.models import iam_backends
from moto.sts.models import AssumedRole, STSBackend

from infra_fixtures.control_plane.overlays.patching import replaces
from infra_fixtures.run_layout import RunLayout

ROLE = re.compile(r"arn:(?P<partition>[\w-]+):iam::(?P<account>\d{12}):role/(?:.*/)?(?P<name>[^/]+)")


class AccessDenied(ServiceException):
    """The role is not there, or may not be assumed: AWS does not say which."""

    code = "AccessDenied"


class ValidationError(ServiceException):
    """The session would last longer than the role lets it."""

    code = "ValidationError"


def apply(layout: RunLayout) -> None:
    """Have moto hand out what the front takes."""
    replaces(STSBackend, "assume_role")(_assuming(STSBackend.assume_role, layout))


def _assuming(original: Any, layout: RunLayout) -> Any:
    def assume_role(self: STSBackend, **given: Any) -> AssumedRole:
        role, seconds = _role(given["role_arn"]), int(given["duration"])
        if role is None:
            raise AccessDenied(f"User is not authorized to perform: sts:AssumeRole on resource: {given['role_arn']}")
        if seconds > int(role.max_session_duration or 3600):
            raise ValidationError("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
        assumed: AssumedRole = original(self, **given)
        key = layout.credentials.of_role(given["role_arn"])
        assumed.access_key_id, assumed.secret_access_key, assumed.session_token = key.id, key.secret, key.token
        return assumed

    return assume_role


def _role(arn: str) -> Any:
    found = ROLE.fullmatch(arn)
    if found is None:
        return None
    roles = iam_backends[found["account"]][found["partition"]].roles.values()
    return next((role for role in roles if role.name == found["name"] and role.arn == arn), None)
