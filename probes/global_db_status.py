"""What does Aurora's own function say? `aurora_global_db_status()`, asked in SQL of each region's database that can be reached.

https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora_global_db_status.html: a row a region, durability_lag_in_msec
and rpo_lag_in_msec, -1 for the primary's own.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import Any, ClassVar

import psycopg

from drill.parts import Recorder
from infra_fixtures.targets.parts import DatabasePart
from infra_fixtures.targets.world import World

EVERY_S = 1.0
CONNECT_S = 3
STATEMENT = "SELECT aws_region, durability_lag_in_msec, rpo_lag_in_msec FROM aurora_global_db_status()"
NO_SUCH_FUNCTION = "42883"


class GlobalDbStatus:
    """Samples aurora_durability_lag_s and aurora_rpo_lag_s; subject is the secondary's region.

    Nothing is sampled while no database answers, nor by an engine that has no such function, which is none of Aurora's.
    """

    name = "global_db_status"
    needs: ClassVar[tuple[type, ...]] = (DatabasePart,)
    samples: ClassVar[tuple[tuple[str, str], ...]] = (("aurora_durability_lag_s", ""), ("aurora_rpo_lag_s", ""))

    def __init__(self, world: World, every_s: float = EVERY_S) -> None:
        self._world = world
        self._every_s = every_s

    def watch(self, recorder: Recorder, stop: threading.Event) -> None:
        """Ask whichever region answers first, the primary before the standby, until told to stop or nobody knows it."""
        unknown: set[str] = set()
        while len(unknown) < 2 and not stop.wait(self._every_s):
            for region in (self._world.primary, self._world.standby):
                if region in unknown:
                    continue
                try:
                    rows = self._ask(region)
                except psycopg.Error as e:
                    if e.sqlstate == NO_SUCH_FUNCTION:
                        unknown.add(region)
                    continue
                except Exception:
                    continue  # where its address or password cannot be had, its region may be what is broken
                for name, durability_ms, rpo_ms in rows:
                    if durability_ms is not None and durability_ms >= 0:
                        recorder.sample("aurora_durability_lag_s", str(name), float(durability_ms) / 1000)
                    if rpo_ms is not None and rpo_ms >= 0:
                        recorder.sample("aurora_rpo_lag_s", str(name), float(rpo_ms) / 1000)
                break

    def _ask(self, region: str) -> list[Any]:
        with psycopg.connect(
            **dataclasses.asdict(self._world.database(region)),
            connect_timeout=CONNECT_S,
            require_auth="scram-sha-256",
            options="-c statement_timeout=2000 -c default_transaction_read_only=on",
            autocommit=True,
        ) as connection:
            return connection.execute(STATEMENT).fetchall()
