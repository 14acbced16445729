"""What does Aurora itself say of a failover? The RDS events of both clusters, as they come.

A managed failover tells in events how far it is and whether the old region could be fenced, which is best effort: RDS-EVENT-0181
and those after it. https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/USER_Events.Messages.html
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from drill.parts import Recorder
from infra_fixtures.targets.parts import DatabasePart, part_of
from infra_fixtures.targets.world import World

LONGEST_POLL_INTERVAL_S = 2.0
KINDS = ("db-cluster", "db-instance")
SLACK = timedelta(minutes=5)
"""An event is dated by when it happened, and told some time later."""


class RdsEvents:
    """Marks rds.event of the clusters and their instances; subject is which, detail its time (UTC) and its message.

    Only what happened after the probe began is marked. `at_ns` is when it was told here, which is later.
    """

    name = "rds_events"
    needs: ClassVar[tuple[type, ...]] = (DatabasePart,)

    def __init__(self, world: World) -> None:
        self._world = world
        self._clusters = {region: cluster.id for region, cluster in part_of(world, DatabasePart).clusters.items()}
        self._clients = {region: world.client("rds", region) for region in self._clusters}
        self._since = datetime.now(UTC)

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Look until told to stop, and once more then."""
        told: set[tuple[str, ...]] = set()
        over = False
        while not over:
            over = stop.is_set()
            for region, cluster in self._clusters.items():
                own = {cluster, *self._instances(region, cluster)}
                for event in self._events(self._clients[region]):
                    at, source = event["Date"], str(event.get("SourceIdentifier", ""))
                    key = (region, source, at.isoformat(), str(event["Message"]))
                    if source in own and at >= self._since and key not in told:
                        told.add(key)
                        recorder.mark("rds.event", source, f"{at:%H:%M:%S} UTC in {region}: {event['Message']}")
            if not over:
                self._world.wait_for_change(frozenset({"rds"}), LONGEST_POLL_INTERVAL_S)

    def _instances(self, region: str, cluster: str) -> list[str]:
        try:
            found = self._clients[region].describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"]
        except (BotoCoreError, ClientError):
            return []  # no API, or one that does not answer now
        return [str(member["DBInstanceIdentifier"]) for member in found[0]["DBClusterMembers"]]

    def _events(self, rds: Any) -> Iterator[dict[str, Any]]:
        for kind in KINDS if rds is not None else ():
            try:
                pages = rds.get_paginator("describe_events").paginate(
                    SourceType=kind, StartTime=self._since - SLACK, EndTime=datetime.now(UTC) + SLACK
                )
                found = [event for page in pages for event in page["Events"]]
            except (BotoCoreError, ClientError):
                continue  # the region may be what is broken, or an emulator may not know the kind
            yield from found
