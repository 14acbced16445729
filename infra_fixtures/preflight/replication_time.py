"""Does S3 replicate to the standby's bucket, and within a time that it warrants?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from botocore.exceptions import ClientError

from infra_fixtures.preflight.check import Check, Seen, is_gone, part
from infra_fixtures.targets.parts import BucketPart


class ReplicationTime(Check):
    """Without Replication Time Control nothing bounds how late an object arrives, and no metric tells of it."""

    parts: ClassVar[tuple[type, ...]] = (BucketPart,)
    mend: ClassVar[str] = "enable Replication Time Control and its metrics in the rule"
    page: ClassVar[str] = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-time-control.html"

    def troubles(self, seen: Seen) -> Iterator[str]:
        """The rules to the standby's bucket."""
        names = part(seen, BucketPart).names
        source, target = names[seen.primary], f"arn:aws:s3:::{names[seen.standby]}"
        try:
            found = seen.client("s3", seen.primary).get_bucket_replication(Bucket=source)
        except ClientError as e:
            if e.response["Error"]["Code"] != "ReplicationConfigurationNotFoundError" and not is_gone(e):
                raise
            yield f"the bucket {source} is not replicated"
            return
        rules = found["ReplicationConfiguration"]["Rules"]
        to_standby = [r for r in rules if r["Destination"]["Bucket"] == target and r["Status"] == "Enabled"]
        if not to_standby:
            yield f"no rule of {source} that is enabled replicates to {names[seen.standby]}"
        for rule in to_standby:
            if rule["Destination"].get("ReplicationTime", {}).get("Status") != "Enabled":
                yield f"the rule {rule.get('ID', 'without a name')} of {source} has no Replication Time Control"
