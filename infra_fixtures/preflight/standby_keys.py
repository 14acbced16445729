"""Can the standby decrypt what it holds by itself?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from infra_fixtures.preflight.check import Check, Seen
from infra_fixtures.preflight.functions import configuration
from infra_fixtures.preflight.rds_cluster import cluster
from infra_fixtures.targets.parts import DatabasePart, FunctionsPart

MULTI_REGION = "mrk-"
"""What the ids of multi-Region keys begin with."""


class StandbyKeys(Check):
    """A single-Region key is lost with its region: neither the standby's cluster nor its function may depend on one there."""

    parts: ClassVar[tuple[type, ...]] = (DatabasePart, FunctionsPart)
    mend: ClassVar[str] = "use a key of the standby, or replicate a multi-Region key to it, and keep it enabled"
    page: ClassVar[str] = "https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html"

    def troubles(self, seen: Seen) -> Iterator[str]:
        """Every key that the standby's cluster and function name."""
        for user, arn in _used(seen):
            _, _, _, region, _, resource = arn.split(":", 5)
            own = resource.partition("/")[2]
            if region != seen.standby and not own.startswith(MULTI_REGION):
                yield f"{user} in {seen.standby} uses the single-Region key {own} of {region}"
                continue
            told = seen.client("kms", seen.standby).describe_key(KeyId=own)["KeyMetadata"]
            if told["KeyState"] != "Enabled":
                yield f"the key {own} that {user} in {seen.standby} uses is {told['KeyState']}"


def _used(seen: Seen) -> Iterator[tuple[str, str]]:
    """What uses a key, and the key's ARN."""
    if key := str(cluster(seen, seen.standby).get("KmsKeyId", "")):
        yield "the cluster", key
    function = configuration(seen, seen.standby)
    if key := str(function.get("KMSKeyArn") or ""):
        yield "the function", key
    for value in function.get("Environment", {}).get("Variables", {}).values():
        if value.startswith("arn:aws:kms:"):
            yield "the function", value
