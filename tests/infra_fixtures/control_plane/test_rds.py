"""Aurora global databases move through AWS's states, and what AWS refuses is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from infra_fixtures.internal_api.admin import Admin, AdminRefused
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.conftest import AwsClient

Ask = Callable[[Callable[[Admin], Coroutine[Any, Any, Any]]], Any]
PRIMARY, STANDBY = "us-east-1", "us-west-2"
ARN = "arn:aws:rds:{}:123456789012:cluster:{}"


@pytest.fixture(scope="module")
def ask(control_plane: RunLayout) -> Ask:
    """Ask the admin API from code that blocks."""

    def run(question: Callable[[Admin], Coroutine[Any, Any, Any]]) -> Any:
        async def asked() -> Any:
            async with Admin(control_plane) as admin:
                return await question(admin)

        return asyncio.run(asked())

    return run


class Pair:
    """A global database of two clusters, and clients for both regions."""

    def __init__(self, aws_client: AwsClient) -> None:
        self.rds = {region: aws_client("rds", region) for region in (PRIMARY, STANDBY)}
        self.primary, self.standby = ARN.format(PRIMARY, "east"), ARN.format(STANDBY, "west")

    def build(self) -> None:
        """Create both clusters, the primary's user given as AWS demands."""
        self.rds[PRIMARY].create_global_cluster(
            GlobalClusterIdentifier="orders", Engine="aurora-postgresql", Tags=[{"Key": "run", "Value": "1"}]
        )
        self.rds[PRIMARY].create_db_cluster(
            DBClusterIdentifier="east",
            Engine="aurora-postgresql",
            GlobalClusterIdentifier="orders",
            MasterUsername="app",
            MasterUserPassword="correct-horse",
            DatabaseName="orders",
        )
        self.rds[STANDBY].create_db_cluster(
            DBClusterIdentifier="west", Engine="aurora-postgresql", GlobalClusterIdentifier="orders"
        )

    def raze(self) -> None:
        """Take it apart: secondary first."""
        for region, name in ((STANDBY, "west"), (PRIMARY, "east")):
            arn = ARN.format(region, name)
            if arn in {m["DBClusterArn"] for m in self.state()["GlobalClusterMembers"]}:
                self.rds[region].remove_from_global_cluster(GlobalClusterIdentifier="orders", DbClusterIdentifier=arn)
            self.rds[region].delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)
        self.rds[PRIMARY].delete_global_cluster(GlobalClusterIdentifier="orders")

    def state(self) -> dict[str, Any]:
        """What DescribeGlobalClusters says."""
        found: dict[str, Any] = self.rds[STANDBY].describe_global_clusters(GlobalClusterIdentifier="orders")
        return dict(found["GlobalClusters"][0])

    def writer(self) -> str:
        """The ARN of the member that writes."""
        return next(str(m["DBClusterArn"]) for m in self.state()["GlobalClusterMembers"] if m["IsWriter"])

    def status(self, region: str, name: str) -> str:
        """A cluster's status."""
        found = self.rds[region].describe_db_clusters(DBClusterIdentifier=name)
        return str(found["DBClusters"][0]["Status"])


@pytest.fixture
def pair(aws_client: AwsClient, ask: Ask) -> Iterator[Pair]:
    """A fresh global database; taken apart in the order AWS demands."""
    pair = Pair(aws_client)
    pair.build()
    yield pair
    if pair.state()["Status"] != "available":
        ask(lambda a: a.complete_global("orders", pair.primary))
    if pair.writer() != pair.primary:
        ask(lambda a: a.complete_global("orders", pair.primary))
    pair.raze()


@pytest.mark.parametrize(
    ("operation", "arguments", "status", "data_loss"),
    [
        ("switchover_global_cluster", {}, "switching-over", False),
        ("failover_global_cluster", {"AllowDataLoss": True}, "failing-over", True),
        ("failover_global_cluster", {"Switchover": True}, "switching-over", False),
        ("failover_global_cluster", {}, "switching-over", False),
    ],
)
def test_a_transfer_shows_until_the_data_plane_has_done_it(
    pair: Pair, ask: Ask, operation: str, arguments: dict[str, bool], status: str, data_loss: bool
) -> None:
    """Status and FailoverState say what is under way; done, the roles are exchanged and both are gone."""
    getattr(pair.rds[STANDBY], operation)(
        GlobalClusterIdentifier="Orders", TargetDbClusterIdentifier=pair.standby, **arguments
    )
    state = pair.state()
    assert state["Status"] == status
    assert state["FailoverState"] == {
        "Status": "failing-over",
        "FromDbClusterArn": pair.primary,
        "ToDbClusterArn": pair.standby,
        "IsDataLossAllowed": data_loss,
    }
    assert pair.writer() == pair.primary
    assert pair.status(STANDBY, "west") == status
    ask(lambda a: a.complete_global("orders", pair.standby, "available"))
    state = pair.state()
    assert state["Status"] == "available"
    assert "FailoverState" not in state
    members = {m["DBClusterArn"]: (m["IsWriter"], m["Readers"]) for m in state["GlobalClusterMembers"]}
    assert members == {pair.primary: (False, []), pair.standby: (True, [pair.primary])}
    assert pair.status(PRIMARY, "east") == "available"


def test_what_aws_refuses_is_refused(pair: Pair, ask: Ask) -> None:
    """Unknown names, the writer itself, a strange cluster, a transfer under way: each by AWS's own error."""
    rds = pair.rds[PRIMARY]
    rds.create_db_cluster(
        DBClusterIdentifier="alone", Engine="aurora-postgresql", MasterUsername="a", MasterUserPassword="longenough"
    )

    def refused(code: str, **asked: Any) -> None:
        given = {"GlobalClusterIdentifier": "orders", "TargetDbClusterIdentifier": pair.standby, **asked}
        with pytest.raises(rds.exceptions.ClientError) as raised:
            rds.switchover_global_cluster(**given)
        assert raised.value.response["Error"]["Code"] == code

    refused("GlobalClusterNotFoundFault", GlobalClusterIdentifier="none")
    refused("DBClusterNotFoundFault", TargetDbClusterIdentifier=ARN.format(STANDBY, "none"))
    refused("InvalidDBClusterStateFault", TargetDbClusterIdentifier=pair.primary)
    refused("InvalidDBClusterStateFault", TargetDbClusterIdentifier=ARN.format(PRIMARY, "alone"))
    ask(lambda a: a.observe_cluster(STANDBY, "west", status="stopped"))
    refused("InvalidDBClusterStateFault")
    ask(lambda a: a.observe_cluster(STANDBY, "west", status="available"))
    with pytest.raises(rds.exceptions.ClientError, match="InvalidParameterCombination"):
        rds.failover_global_cluster(
            GlobalClusterIdentifier="orders",
            TargetDbClusterIdentifier=pair.standby,
            AllowDataLoss=True,
            Switchover=True,
        )
    rds.switchover_global_cluster(GlobalClusterIdentifier="orders", TargetDbClusterIdentifier=pair.standby)
    refused("InvalidGlobalClusterStateFault")
    rds.delete_db_cluster(DBClusterIdentifier="alone", SkipFinalSnapshot=True)


def test_a_failover_needs_no_healthy_primary(pair: Pair, ask: Ask) -> None:
    """That is what it is for; a switchover does need it."""
    ask(lambda a: a.observe_cluster(PRIMARY, "east", status="failed"))
    rds = pair.rds[STANDBY]
    with pytest.raises(rds.exceptions.InvalidDBClusterStateFault):
        rds.switchover_global_cluster(GlobalClusterIdentifier="orders", TargetDbClusterIdentifier=pair.standby)
    rds.failover_global_cluster(
        GlobalClusterIdentifier="orders", TargetDbClusterIdentifier=pair.standby, AllowDataLoss=True
    )
    assert pair.state()["Status"] == "failing-over"


def test_a_removed_secondary_is_promoted(pair: Pair, ask: Ask) -> None:
    """It is promoting until the data plane says otherwise; the primary must go last; members cannot be deleted."""
    rds = pair.rds[STANDBY]
    with pytest.raises(rds.exceptions.ClientError, match="InvalidGlobalClusterStateFault"):
        pair.rds[PRIMARY].remove_from_global_cluster(GlobalClusterIdentifier="orders", DbClusterIdentifier=pair.primary)
    with pytest.raises(rds.exceptions.InvalidDBClusterStateFault, match="part of a global cluster"):
        rds.delete_db_cluster(DBClusterIdentifier="west", SkipFinalSnapshot=True)
    rds.remove_from_global_cluster(GlobalClusterIdentifier="orders", DbClusterIdentifier=pair.standby)
    assert pair.status(STANDBY, "west") == "promoting"
    assert [m["DBClusterArn"] for m in pair.state()["GlobalClusterMembers"]] == [pair.primary]
    ask(lambda a: a.observe_cluster(STANDBY, "west", status="available"))
    assert pair.status(STANDBY, "west") == "available"


def test_endpoints_are_as_the_data_plane_observes_them(pair: Pair, ask: Ask) -> None:
    """AWS-like names before, loopback addresses after, for the cluster and its instance."""
    rds = pair.rds[PRIMARY]
    rds.create_db_instance(
        DBInstanceIdentifier="east-1",
        DBClusterIdentifier="east",
        Engine="aurora-postgresql",
        DBInstanceClass="db.r6g.large",
    )
    before = rds.describe_db_clusters(DBClusterIdentifier="east")["DBClusters"][0]
    assert before["Endpoint"].endswith(".us-east-1.rds.amazonaws.com")
    ask(
        lambda a: a.observe_cluster(
            PRIMARY, "east", endpoint="127.0.0.8", reader_endpoint="127.0.0.9", port=5433, instance_status="failed"
        )
    )
    cluster = rds.describe_db_clusters(DBClusterIdentifier="east")["DBClusters"][0]
    assert (cluster["Endpoint"], cluster["ReaderEndpoint"], cluster["Port"]) == ("127.0.0.8", "127.0.0.9", 5433)
    instance = rds.describe_db_instances(DBInstanceIdentifier="east-1")["DBInstances"][0]
    assert (instance["Endpoint"]["Address"], instance["DBInstanceStatus"]) == ("127.0.0.9", "failed")
    rds.delete_db_instance(DBInstanceIdentifier="east-1", SkipFinalSnapshot=True)


def test_credentials_are_the_primarys_in_both_regions(pair: Pair, ask: Ask) -> None:
    """As given to CreateDBCluster; a changed password counts at once."""
    expected = {"username": "app", "password": "correct-horse", "database": "orders"}
    assert ask(lambda a: a.cluster_credentials(PRIMARY, "east")) == expected
    assert ask(lambda a: a.cluster_credentials(STANDBY, "west")) == expected
    pair.rds[PRIMARY].modify_db_cluster(DBClusterIdentifier="east", MasterUserPassword="battery-staple")
    assert ask(lambda a: a.cluster_credentials(STANDBY, "west"))["password"] == "battery-staple"
    with pytest.raises(AdminRefused, match="nothing called"):
        ask(lambda a: a.cluster_credentials(PRIMARY, "none"))


def test_a_cluster_is_created_only_as_aws_would(pair: Pair, aws_client: AwsClient) -> None:
    """No second of a name, no unknown global cluster, no user for a secondary, no unusable key."""
    rds, kms = pair.rds[PRIMARY], aws_client("kms")
    good = {"Engine": "aurora-postgresql", "MasterUsername": "a", "MasterUserPassword": "longenough"}

    def refused(match: str, **asked: Any) -> None:
        with pytest.raises(rds.exceptions.ClientError, match=match):
            rds.create_db_cluster(**{"DBClusterIdentifier": "new", **good, **asked})

    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.disable_key(KeyId=key)
    refused("DBClusterAlreadyExistsFault", DBClusterIdentifier="east")
    refused("GlobalClusterNotFoundFault", GlobalClusterIdentifier="none")
    refused("InvalidParameterCombination", GlobalClusterIdentifier="orders")
    refused("KMSKeyNotAccessibleFault", KmsKeyId=key, StorageEncrypted=True)
    refused("KMSKeyNotAccessibleFault", KmsKeyId="arn:aws:kms:us-east-1:123456789012:key/none", StorageEncrypted=True)
    with pytest.raises(rds.exceptions.ClientError, match="GlobalClusterAlreadyExistsFault"):
        rds.create_global_cluster(GlobalClusterIdentifier="orders", Engine="aurora-postgresql")
    kms.enable_key(KeyId=key)
    made = rds.create_db_cluster(DBClusterIdentifier="new", KmsKeyId=key, StorageEncrypted=True, **good)["DBCluster"]
    assert made["KmsKeyId"] == key
    rds.delete_db_cluster(DBClusterIdentifier="new", SkipFinalSnapshot=True)


def test_a_global_cluster_keeps_its_tags(pair: Pair) -> None:
    """So that a teardown by tag finds it."""
    rds = pair.rds[PRIMARY]
    arn = pair.state()["GlobalClusterArn"]
    assert rds.list_tags_for_resource(ResourceName=arn)["TagList"] == [{"Key": "run", "Value": "1"}]
