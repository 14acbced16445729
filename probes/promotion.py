"""When does the global cluster's writer move? DescribeGlobalClusters in the standby, looked at on every change."""

from __future__ import annotations

import threading
from typing import ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from drill.parts import Recorder
from infra_fixtures.targets.parts import DatabasePart, part_of
from infra_fixtures.targets.world import World

LONGEST_POLL_INTERVAL_S = 1.0


class Promotion:
    """Marks promotion.begin when a failover or switchover is under way, promotion.end when another cluster writes."""

    name = "promotion"
    needs: ClassVar[tuple[type, ...]] = (DatabasePart,)

    def __init__(self, world: World) -> None:
        self._world = world
        self._rds = world.client("rds", world.standby)
        self._global_cluster = part_of(world, DatabasePart).global_cluster_id

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Look until told to stop."""
        status, writer = "", ""
        while not stop.is_set():
            found = self._look()
            if found is not None:
                now_status, now_writer = found
                if now_status != status and now_status in ("switching-over", "failing-over"):
                    recorder.mark("promotion.begin", self._global_cluster, now_status)
                if writer and now_writer != writer:
                    recorder.mark("promotion.end", self._global_cluster, now_writer)
                status, writer = now_status, now_writer or writer
            self._world.wait_for_change(frozenset({"rds"}), LONGEST_POLL_INTERVAL_S)

    def _look(self) -> tuple[str, str] | None:
        """The global cluster's status and the ARN of its writer; None where the API does not answer."""
        try:
            answer = self._rds.describe_global_clusters(GlobalClusterIdentifier=self._global_cluster)
        except (BotoCoreError, ClientError):
            return None
        cluster = answer["GlobalClusters"][0]
        writer = next((str(m["DBClusterArn"]) for m in cluster["GlobalClusterMembers"] if m["IsWriter"]), "")
        return str(cluster["Status"]), writer
