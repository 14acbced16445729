"""Are the buckets versioned?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from botocore.exceptions import ClientError

from infra_fixtures.preflight.check import Check, Seen, both, is_gone, part
from infra_fixtures.targets.parts import BucketPart


class BucketVersioning(Check):
    """Replication needs it in both, and without it what is overwritten is lost in both at once."""

    parts: ClassVar[tuple[type, ...]] = (BucketPart,)
    mend: ClassVar[str] = "enable versioning"
    page: ClassVar[str] = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-requirements.html"

    def troubles(self, seen: Seen) -> Iterator[str]:
        """Each region's."""
        for region in both(seen):
            name = part(seen, BucketPart).names[region]
            try:
                status = seen.client("s3", region).get_bucket_versioning(Bucket=name).get("Status", "off")
            except ClientError as e:
                if not is_gone(e):
                    raise
                yield f"the bucket {name} in {region} is not there"
                continue
            if status != "Enabled":
                yield f"versioning of {name} in {region} is {str(status).lower()}"
