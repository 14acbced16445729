"""A mutating call of the AWS API, as the change stream tells it."""

from __future__ import annotations

import msgspec


class Change(msgspec.Struct, frozen=True):
    """One mutating AWS API call that succeeded, as the front saw it.

    `service` is botocore's service name (route53, rds, lambda, s3, ec2, ...), `action` the operation (PutObject,
    RevokeSecurityGroupIngress, ...), `resource` what the request path names ("bucket/key" for S3; may be empty).
    `at_ns` is time.monotonic_ns() when the call returned.
    """

    seq: int
    at_ns: int
    region: str
    service: str
    action: str
    resource: str = ""
