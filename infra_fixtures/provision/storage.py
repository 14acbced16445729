"""The storage layer: a versioned, encrypted, private bucket a region, and replication from the primary's to the standby's."""

from __future__ import annotations

from typing import Any

from infra_fixtures.provision.boto_errors import ignore_errors, retry_while
from infra_fixtures.provision.identity import Key
from infra_fixtures.provision.naming import RUN_TAG, Names

EVERYWHERE = "us-east-1"
"""The region whose buckets have no location constraint."""
RULE = "everything"
ROLE_SEEN_WITHIN_S = 30.0
NOT_EMPTY = "BucketNotEmpty"
EMPTY_LIMIT_S = 120.0


def bucket(s3: Any, names: Names, region: str, own: Key) -> str:
    """The region's bucket; its name."""
    name = names.bucket(region, own.account)
    where = {} if region == EVERYWHERE else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    # us-east-1 alone answers 200 to the owner who creates a bucket again.
    if ignore_errors("BucketAlreadyOwnedByYou", s3.create_bucket, Bucket=name, **where) is None and _is_set_up(
        s3, name
    ):
        return name
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration=dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
        ),
    )
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": own.arn},
                    "BucketKeyEnabled": True,
                }
            ]
        },
    )
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": names.tag_list(f"bucket-{region}")})  # last: it is set up
    return name


def replicate(s3: Any, source: str, target: str, role_arn: str, target_key: Key) -> None:
    """Have everything in `source` replicated to `target`, with replication time control and its metrics."""
    if ignore_errors("ReplicationConfigurationNotFoundError", s3.get_bucket_replication, Bucket=source):
        return
    rule = {
        "ID": RULE,
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "SourceSelectionCriteria": {"SseKmsEncryptedObjects": {"Status": "Enabled"}},
        "Destination": {
            "Bucket": f"arn:aws:s3:::{target}",
            "EncryptionConfiguration": {"ReplicaKmsKeyID": target_key.arn},
            "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
            "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
        },
    }
    retry_while(
        "InvalidRequest",
        s3.put_bucket_replication,
        what="S3 to know the replication role",
        saying="role",
        timeout_s=ROLE_SEEN_WITHIN_S,
        Bucket=source,
        ReplicationConfiguration={"Role": role_arn, "Rules": [rule]},
    )


def tear_down(s3: Any, names: Names, region: str, account: str) -> None:
    """Delete the region's bucket with every version in it, if it carries the run's tag."""
    name = names.bucket(region, account)
    if ignore_errors(("NoSuchBucket", "404"), s3.head_bucket, Bucket=name) is None:
        return
    tags = ignore_errors("NoSuchTagSet", s3.get_bucket_tagging, Bucket=name)
    if tags is not None and {t["Key"]: t["Value"] for t in tags["TagSet"]}.get(RUN_TAG) != names.run_id:
        return
    ignore_errors("ReplicationConfigurationNotFoundError", s3.delete_bucket_replication, Bucket=name)
    retry_while(
        NOT_EMPTY, lambda: _empty_and_delete(s3, name), what=f"the bucket {name} to stay empty", timeout_s=EMPTY_LIMIT_S
    )


def _empty_and_delete(s3: Any, name: str) -> None:
    """A replica that was on its way when the rule went may still come after the bucket was emptied."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        existing = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        if existing:
            objects = [{"Key": o["Key"], "VersionId": o["VersionId"]} for o in existing]
            s3.delete_objects(Bucket=name, Delete={"Objects": objects, "Quiet": True})
    s3.delete_bucket(Bucket=name)


def _is_set_up(s3: Any, name: str) -> bool:
    return ignore_errors("NoSuchTagSet", s3.get_bucket_tagging, Bucket=name) is not None
