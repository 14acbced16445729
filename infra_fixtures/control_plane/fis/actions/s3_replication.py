"""aws:s3:bucket-pause-replication: objects written meanwhile are replicated when the action ends.

https://docs.aws.amazon.com/fis/latest/userguide/fis-actions-reference.html#s3-actions-reference: `region` is where the
destination buckets are; `destinationBuckets` and `prefixes` narrow it down, the prefixes as they stand in the rules. On AWS
objects may still be replicated for up to an hour after it begins; here it pauses at once.
"""

from __future__ import annotations

from infra_fixtures.control_plane.fis.actions.action import (
    DURATION,
    Acting,
    Action,
    ActionFailed,
    Parameter,
    PausedReplication,
    Resource,
    unless_gone,
)

PAUSED, RESUMED = "_ReplicationPaused", "_ReplicationResumed"


async def _pause(acting: Acting) -> None:
    for bucket in acting.targets["Buckets"]:
        paused = await _rules_of(acting, bucket)
        acting.put_back(_resume, acting, paused)
        acting.paused_replication.add(paused)
        acting.emit("s3", PAUSED, bucket.name)
    await acting.hold()


async def _resume(acting: Acting, paused: PausedReplication) -> None:
    acting.paused_replication.discard(paused)
    acting.emit("s3", RESUMED, paused.source)


async def _rules_of(acting: Acting, bucket: Resource) -> PausedReplication:
    """What is to be paused of a bucket; ActionFailed where it replicates nothing of that kind."""
    asked = PausedReplication(
        acting.caller.subject,
        bucket.name,
        acting.parameters["region"],
        _listed(acting.parameters.get("destinationBuckets", "")),
        _listed(acting.parameters.get("prefixes", "")),
    )
    answer = await unless_gone(
        ("ReplicationConfigurationNotFoundError",),
        acting.caller.do("s3", "get_bucket_replication", Bucket=bucket.name),
    )
    rules = answer["ReplicationConfiguration"]["Rules"] if answer else []
    destinations = {r["Destination"]["Bucket"].rpartition(":")[2] for r in rules if r.get("Status") == "Enabled"}
    wanted = destinations & asked.destinations if asked.destinations else destinations
    for destination in sorted(wanted):
        where = await acting.caller.do("s3", "get_bucket_location", Bucket=destination)
        if (where.get("LocationConstraint") or "us-east-1") == asked.region:
            return asked
    raise ActionFailed(
        f"{bucket.arn} has no enabled replication rule to a bucket in {asked.region} that was asked for."
    )


def _listed(text: str) -> frozenset[str]:
    return frozenset(part.strip().rpartition(":::")[2] for part in text.split(",") if part.strip())


ACTIONS = (
    Action(
        "aws:s3:bucket-pause-replication",
        "Pause the replication of objects from source buckets to destination buckets.",
        _pause,
        {
            "duration": DURATION,
            "region": Parameter("The AWS Region where the destination buckets are located.", required=True),
            "destinationBuckets": Parameter("Comma separated list of destination S3 buckets."),
            "prefixes": Parameter("Comma separated list of S3 object key prefixes from replication rule filters."),
        },
        ("Buckets", "aws:s3:bucket"),
    ),
)
