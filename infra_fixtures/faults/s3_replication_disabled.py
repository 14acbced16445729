"""The bucket's replication rules are disabled: objects are written as ever, and none reaches the standby.

What is written meanwhile is not replicated afterwards either: only Batch Replication makes up for it
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-what-is-isnot-replicated.html).
"""

from __future__ import annotations

from typing import ClassVar

from botocore.exceptions import ClientError

from infra_fixtures.faults.fault import PRIMARY, Fault, Harmed, Injection, region_of
from infra_fixtures.fis.written import FisAction, Place
from infra_fixtures.safety.undo import AwsCall, Learn
from infra_fixtures.targets.parts import BucketPart, part_of
from infra_fixtures.targets.world import World


class S3ReplicationDisabled(Fault, frozen=True):
    """Disable every replication rule of the bucket of `region`; healing gives it the configuration that it had."""

    parts: ClassVar[tuple[type, ...]] = (BucketPart,)
    region: str = PRIMARY

    @property
    def harms(self) -> tuple[Harmed, ...]:
        """The bucket's rules."""
        return (Harmed(self.region, "replication rules of the bucket"),)

    def in_fis(self, place: Place) -> FisAction:
        """FIS pauses, and what was written meanwhile is replicated afterwards."""
        primary = place.region(self.region) == place.primary
        return FisAction(
            "aws:s3:bucket-pause-replication",
            place.region(self.region),
            {"region": place.standby if primary else place.primary},
            ("Buckets", place.tagged("aws:s3:bucket")),
            differs="Replication is paused and made up for afterwards; objects may replicate for an hour after it began",
        )

    def prepare(self, world: World) -> Injection:
        """Read the configuration that the bucket has now."""
        region = region_of(world, self.region)
        bucket, s3 = part_of(world, BucketPart).names[region], world.client("s3", region)
        before = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
        disabled = {**before, "Rules": [{**rule, "Status": "Disabled"} for rule in before["Rules"]]}

        def act(_learn: Learn) -> None:
            s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=disabled)
            found = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]["Rules"]
            if any(rule["Status"] != "Disabled" for rule in found):
                raise ClientError(
                    {"Error": {"Code": "NotEffective", "Message": f"the rules of {bucket} read back as {found}"}},
                    "PutBucketReplication",
                )

        put = {"Bucket": bucket, "ReplicationConfiguration": before}
        undo = AwsCall("s3", region, "put_bucket_replication", put, settled_by=("NoSuchBucket",))
        return Injection(f"{region}/{bucket}", [undo], act)
