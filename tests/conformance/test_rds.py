"""RDS: the Aurora global database, and what moves its writer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.backends import PRIMARY, STANDBY, Backend
from tests.conformance.conftest import Names
from tests.conformance.refusals import refused

ENGINE = "aurora-postgresql"


@dataclass(frozen=True, slots=True)
class Pair:
    """A global database of two clusters."""

    name: str
    primary: Any
    standby: Any
    east: str
    west: str

    def state(self) -> dict[str, Any]:
        """What the standby's region is told of it."""
        found = self.standby.describe_global_clusters(GlobalClusterIdentifier=self.name)["GlobalClusters"][0]
        return dict(found)


@pytest.fixture
def pair(aws: Backend, unique: Names) -> Pair:
    """A fresh global database."""
    primary, standby = aws.client("rds", PRIMARY), aws.client("rds", STANDBY)
    name = unique("orders")
    primary.create_global_cluster(GlobalClusterIdentifier=name, Engine=ENGINE)
    common = {"Engine": ENGINE, "GlobalClusterIdentifier": name}
    east = primary.create_db_cluster(
        DBClusterIdentifier=unique("east"), MasterUsername="app", MasterUserPassword="correct-horse", **common
    )["DBCluster"]["DBClusterArn"]
    west = standby.create_db_cluster(DBClusterIdentifier=unique("west"), **common)["DBCluster"]["DBClusterArn"]
    return Pair(name, primary, standby, east, west)


def test_a_global_database_has_one_writer(pair: Pair) -> None:
    """The cluster made first, as both regions are told."""
    members = {m["DBClusterArn"]: m["IsWriter"] for m in pair.state()["GlobalClusterMembers"]}
    assert members == {pair.east: True, pair.west: False}


def test_a_switchover_is_told_while_it_lasts(pair: Pair) -> None:
    """The database is switching over, without loss, to the cluster asked for."""
    pair.standby.switchover_global_cluster(GlobalClusterIdentifier=pair.name, TargetDbClusterIdentifier=pair.west)
    state = pair.state()
    assert state["Status"] == "switching-over"
    assert state["FailoverState"]["ToDbClusterArn"] == pair.west
    assert state["FailoverState"]["IsDataLossAllowed"] is False


def test_a_failover_that_may_lose_data_is_told_so(pair: Pair) -> None:
    """AllowDataLoss makes it a failover."""
    pair.standby.failover_global_cluster(
        GlobalClusterIdentifier=pair.name, TargetDbClusterIdentifier=pair.west, AllowDataLoss=True
    )
    state = pair.state()
    assert (state["Status"], state["FailoverState"]["IsDataLossAllowed"]) == ("failing-over", True)


def test_a_member_removed_stands_alone(pair: Pair) -> None:
    """The manual way of failing over: detach the secondary."""
    pair.standby.remove_from_global_cluster(GlobalClusterIdentifier=pair.name, DbClusterIdentifier=pair.west)
    assert [m["DBClusterArn"] for m in pair.state()["GlobalClusterMembers"]] == [pair.east]


def test_a_member_cannot_be_deleted(pair: Pair) -> None:
    """Tear-down has to detach it first."""
    with refused("InvalidDBClusterStateFault"):
        pair.primary.delete_db_cluster(DBClusterIdentifier=pair.east.rpartition(":")[2], SkipFinalSnapshot=True)


def test_a_global_database_that_is_not_there_is_refused(aws: Backend, unique: Names) -> None:
    """A cluster cannot join what does not exist."""
    with refused("GlobalClusterNotFoundFault"):
        aws.client("rds").create_db_cluster(
            DBClusterIdentifier=unique("east"), Engine=ENGINE, GlobalClusterIdentifier=unique("nowhere")
        )


def test_a_cluster_has_a_writer_s_and_a_reader_s_endpoint(pair: Pair) -> None:
    """Different names, one port."""
    found = pair.primary.describe_db_clusters(DBClusterIdentifier=pair.east.rpartition(":")[2])["DBClusters"][0]
    assert found["Endpoint"] != found["ReaderEndpoint"]
    assert found["Port"] == 5432


def test_a_cluster_is_made_once(pair: Pair) -> None:
    """The second is refused."""
    with refused("DBClusterAlreadyExistsFault"):
        pair.primary.create_db_cluster(
            DBClusterIdentifier=pair.east.rpartition(":")[2],
            Engine=ENGINE,
            MasterUsername="app",
            MasterUserPassword="correct-horse",
        )
