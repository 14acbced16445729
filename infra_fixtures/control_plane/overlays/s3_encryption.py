"""Objects under a KMS key need that key: disabled, deleted or unknown, S3 can neither store nor hand them out.

moto notes the key's name and never looks at the key. HEAD and LIST need no key, as on AWS.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
"""

from __future__ import annotations

from typing import Any

from moto.kms.models import Key, kms_backends
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeKey, S3Backend
from moto.s3.responses import S3Response

from infra_fixtures.control_plane.overlays.patching import replaces
from infra_fixtures.run_layout import RunLayout

KMS_ALGORITHMS = frozenset({"aws:kms", "aws:kms:dsse"})


def apply(layout: RunLayout) -> None:
    """Make moto's S3 ask for the key."""
    replaces(S3Backend, "put_object")(_putting(S3Backend.put_object))
    replaces(S3Response, "get_object")(_getting(S3Response.get_object))


def _putting(original: Any) -> Any:
    def put_object(self: S3Backend, bucket_name: str, *args: Any, **kwargs: Any) -> FakeKey:
        bucket = self.get_bucket(bucket_name)
        rule = (bucket.encryption or {}).get("Rule", {}).get("ApplyServerSideEncryptionByDefault", {})
        algorithm = kwargs.get("encryption") or rule.get("SSEAlgorithm")
        key = kwargs.get("kms_key_id") or rule.get("KMSMasterKeyID")
        if algorithm in KMS_ALGORITHMS and key:
            _require(self.account_id, bucket.region_name, key)
        stored: FakeKey = original(self, bucket_name, *args, **kwargs)
        return stored

    return put_object


def _getting(original: Any) -> Any:
    def get_object(self: S3Response) -> Any:
        version = self.querystring.get("versionId", [None])[0]
        bucket = self.backend.get_bucket(self.bucket_name)
        found = self.backend.get_object(self.bucket_name, self.parse_key_name(), version_id=version)
        if found is not None and found.encryption in KMS_ALGORITHMS and found.kms_key_id:
            _require(self.backend.account_id, bucket.region_name, found.kms_key_id)
        return original(self)

    return get_object


def _require(account_id: str, region: str, key_id: str) -> None:
    """Raise S3's own wrapping of what KMS says where the key cannot be used."""
    key = _key(account_id, region, key_id)
    if key is None:
        raise S3ClientError("KMS.NotFoundException", f"Key '{key_id}' does not exist")
    if key.key_state == "Disabled":
        raise S3ClientError("KMS.DisabledException", f"{key.arn} is disabled.")
    if key.key_state != "Enabled":
        raise S3ClientError("KMS.KMSInvalidStateException", f"{key.arn} is pending deletion.")


def _key(account_id: str, region: str, key_id: str) -> Key | None:
    if key_id.startswith("arn:"):
        region = key_id.split(":")[3]
    backend = kms_backends[account_id][region]
    if "alias/aws/" in key_id:
        return backend.describe_key(key_id)
    found = backend.any_id_to_key_id(key_id)
    return backend.keys.get(found) if found else None
