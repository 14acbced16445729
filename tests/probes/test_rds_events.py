"""RDS events are marked once each: only those of the system's own clusters, and only what came after the drill began."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra_fixtures.targets.parts import Cluster, DatabasePart
from probes.rds_events import RdsEvents
from tests.probes.conftest import let_pass, watching

REGIONS = ("us-east-1", "us-west-2")


class TwoClusters:
    """A cluster a region in moto, which tells an event whenever an instance is made."""

    primary, standby = REGIONS

    def __init__(self) -> None:
        self.clients = {r: boto3.client("rds", r, aws_access_key_id="k", aws_secret_access_key="s") for r in REGIONS}
        for region in REGIONS:
            for name in ("own", "other"):
                self.clients[region].create_db_cluster(
                    DBClusterIdentifier=name,
                    Engine="aurora-postgresql",
                    MasterUsername="u",
                    MasterUserPassword="password1",
                )

    def add_instance(self, region: str, cluster: str, name: str) -> None:
        """One more in a cluster."""
        self.clients[region].create_db_instance(
            DBInstanceIdentifier=name,
            DBClusterIdentifier=cluster,
            Engine="aurora-postgresql",
            DBInstanceClass="db.r6g.large",
        )

    def part(self, kind: type) -> Any:
        """Its database."""
        return DatabasePart("global", {r: Cluster("own", "arn") for r in REGIONS}) if kind is DatabasePart else None

    def client(self, service: str, region: str) -> Any:
        """moto's."""
        return self.clients[region]

    def wait_for_change(self, services: frozenset[str], timeout_s: float) -> None:
        """As long as it takes to look again."""
        let_pass(0.05)


@pytest.fixture
def system() -> Iterator[TwoClusters]:
    """Two clusters a region, one of them somebody else's."""
    with mock_aws():
        yield TwoClusters()


def test_an_event_is_marked_once_with_its_time(system: TwoClusters) -> None:
    """What happened before, and what happens to others, is not told."""
    system.add_instance("us-west-2", "own", "own-1")
    assert system.clients["us-west-2"].describe_events(SourceType="db-instance")["Events"]
    let_pass(0.01)
    with watching(RdsEvents(system)) as notebook:  # type: ignore[arg-type]
        system.add_instance("us-west-2", "other", "other-1")
        system.add_instance("us-west-2", "own", "own-2")
        said = notebook.await_said("rds.event", subject="own-2")
        assert "UTC in us-west-2: " in said.detail
        let_pass(0.3)
    assert {s.subject for s in notebook.said} == {"own-2"}
    assert len({s.detail for s in notebook.said}) == len(notebook.said)
