"""S3: the bucket pair that is replicated, and what takes a bucket away."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.backends import STANDBY, Backend
from tests.conformance.conftest import Names
from tests.conformance.refusals import refused


@pytest.fixture
def s3(aws: Backend) -> Any:
    """A client of the primary."""
    return aws.client("s3")


@pytest.fixture
def bucket(s3: Any, unique: Names) -> str:
    """A fresh bucket with versions."""
    name = unique("orders")
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def _rule(destination: str) -> dict[str, Any]:
    return {
        "Role": "arn:aws:iam::123456789012:role/replication",
        "Rules": [
            {
                "ID": "all",
                "Priority": 1,
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "DeleteMarkerReplication": {"Status": "Enabled"},
                "Destination": {"Bucket": f"arn:aws:s3:::{destination}"},
            }
        ],
    }


def _destination(aws: Backend, name: str) -> str:
    standby = aws.client("s3", STANDBY)
    standby.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": STANDBY})
    standby.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def test_an_object_put_is_got(s3: Any, bucket: str) -> None:
    """Content, length and type come back as they were given."""
    s3.put_object(Bucket=bucket, Key="a/1 ä.json", Body=b'{"n": 1}', ContentType="application/json")
    found = s3.get_object(Bucket=bucket, Key="a/1 ä.json")
    assert (found["Body"].read(), found["ContentType"]) == (b'{"n": 1}', "application/json")


def test_a_bucket_says_its_region(aws: Backend, unique: Names) -> None:
    """The standby's bucket lies in the standby."""
    name = _destination(aws, unique("west"))
    assert aws.client("s3", STANDBY).get_bucket_location(Bucket=name)["LocationConstraint"] == STANDBY


def test_versions_and_delete_markers_are_listed(s3: Any, bucket: str) -> None:
    """What replication and survivors' counts read."""
    for body in (b"1", b"2"):
        s3.put_object(Bucket=bucket, Key="k", Body=body)
    s3.delete_object(Bucket=bucket, Key="k")
    listed = s3.list_object_versions(Bucket=bucket)
    assert (len(listed["Versions"]), len(listed["DeleteMarkers"])) == (2, 1)
    with refused("NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="k")


def test_replication_is_described_as_it_was_put(aws: Backend, s3: Any, bucket: str, unique: Names) -> None:
    """The replicator follows the bucket's own rules."""
    rule = _rule(_destination(aws, unique("west")))
    s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=rule)
    found = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]["Rules"][0]
    assert (found["Status"], found["Destination"]["Bucket"]) == ("Enabled", rule["Rules"][0]["Destination"]["Bucket"])


def test_replication_switched_off_is_described_so(aws: Backend, s3: Any, bucket: str, unique: Names) -> None:
    """A fault that stops replication by its own switch."""
    rule = _rule(_destination(aws, unique("west")))
    s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=rule)
    rule["Rules"][0]["Status"] = "Disabled"
    s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=rule)
    assert s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]["Rules"][0]["Status"] == "Disabled"


def test_replication_needs_versions(s3: Any, aws: Backend, unique: Names) -> None:
    """Without versioning AWS refuses it."""
    s3.create_bucket(Bucket=unique("plain"))
    with refused("InvalidRequest"):
        s3.put_bucket_replication(
            Bucket=unique("plain"), ReplicationConfiguration=_rule(_destination(aws, unique("west")))
        )


def _deny(s3: Any, bucket: str) -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))


def test_a_read_denied_is_refused_by_its_name(s3: Any, bucket: str) -> None:
    """AccessDenied, by which an application tells it from an object that is not there."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    _deny(s3, bucket)
    with refused("AccessDenied"):
        s3.get_object(Bucket=bucket, Key="k")


def test_a_deny_policy_bites_and_lets_go(s3: Any, bucket: str) -> None:
    """The fault "bucket denied", and its healing."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    _deny(s3, bucket)
    with refused("AccessDenied", "403"):
        s3.get_object(Bucket=bucket, Key="k")
    s3.delete_bucket_policy(Bucket=bucket)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"


def test_encryption_by_a_key_is_the_bucket_s_default(aws: Backend, s3: Any, bucket: str) -> None:
    """Objects say which key they are under."""
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    found = s3.head_object(Bucket=bucket, Key="k")
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", key)


def test_objects_under_a_disabled_key_cannot_be_read(aws: Backend, s3: Any, bucket: str) -> None:
    """The fault "key disabled" reaches what the key encrypted."""
    kms = aws.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    kms.disable_key(KeyId=key)
    with refused("KMS.DisabledException"):
        s3.get_object(Bucket=bucket, Key="k")
    kms.enable_key(KeyId=key)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"


def test_public_access_is_blocked_as_asked(s3: Any, bucket: str) -> None:
    """All four switches read back."""
    switches = dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=switches)
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == switches


def test_tags_of_an_object_are_kept(s3: Any, bucket: str) -> None:
    """Replication rules filter by them."""
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", Tagging="kind=receipt")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "kind", "Value": "receipt"}]
