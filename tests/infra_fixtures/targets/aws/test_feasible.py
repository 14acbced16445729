"""What the account cannot carry is refused before anything is made; AWS's answers are scripted by botocore's own Stubber, which
takes none that its models do not know."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from drill.unusable import UnusableInput
from infra_fixtures.targets.aws.feasible import QUOTAS, Feasible, feasible
from infra_fixtures.targets.aws.prices import estimate
from infra_fixtures.targets.emulated_account import EmulatedAccount
from infra_fixtures.topology import FULL, SCALED_DOWN, RegionPlan, warm_standby

TOPOLOGY = warm_standby(
    primary=RegionPlan("us-east-1", default_vpc=False, capacity=FULL),
    standby=RegionPlan("us-west-2", default_vpc=False, capacity=SCALED_DOWN),
)
Client = Callable[[str, str | None], Any]


def _scripted(
    *, versions: tuple[str, ...] = ("16.6",), classes: int = 1, unreserved: int = 1000, most: float = 5.0
) -> Client:
    """Clients that answer each question of one look at a region, in the order in which they are asked."""
    made: dict[tuple[str, str | None], Any] = {}

    def client(service: str, region: str | None) -> Any:
        if (service, region) not in made:
            one = boto3.client(service, region_name=region, aws_access_key_id="x", aws_secret_access_key="x")
            stub = Stubber(one)
            match service:
                case "rds":
                    able = [{"EngineVersion": v, "SupportsGlobalDatabases": True} for v in versions]
                    stub.add_response("describe_db_engine_versions", {"DBEngineVersions": able})
                    offers = [{"DBInstanceClass": "db.r6g.large"}] * classes
                    stub.add_response("describe_orderable_db_instance_options", {"OrderableDBInstanceOptions": offers})
                    stub.add_response("describe_db_clusters", {"DBClusters": []})
                    stub.add_response("describe_db_instances", {"DBInstances": []})
                case "lambda":
                    limit = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": unreserved}
                    stub.add_response("get_account_settings", {"AccountLimit": limit})
                case "ec2":
                    stub.add_response("describe_vpcs", {"Vpcs": [{}] * 5})
                    stub.add_response("describe_internet_gateways", {"InternetGateways": []})
                case "service-quotas":
                    for quota in QUOTAS:
                        given = {"ServiceCode": quota.service, "QuotaCode": quota.code}
                        stub.add_response("get_service_quota", {"Quota": {"Value": most}}, given)
            stub.activate()
            made[service, region] = one
        return made[service, region]

    return client


def test_an_account_with_room_is_no_objection() -> None:
    """Every question is answered, and nothing is unknown."""
    assert feasible(_scripted(most=40.0), TOPOLOGY) == Feasible((), ())


@pytest.mark.parametrize(
    ("account", "sentence"),
    [
        (
            _scripted(versions=("15.10", "16.4"), most=40.0),
            "us-east-1: .*16.6 can be in no global database.*one of 16.4",
        ),
        (_scripted(classes=0, most=40.0), "us-west-2: db.r6g.large is not to be had"),
        (_scripted(unreserved=150, most=40.0), "150 concurrent executions .* L-B99A9384"),
        (_scripted(most=5.0), "5 of 5 VPCs are there"),
    ],
)
def test_what_is_in_the_way_is_a_sentence(account: Client, sentence: str) -> None:
    """It says where, what, and how to mend it."""
    with pytest.raises(UnusableInput, match=sentence):
        feasible(account, TOPOLOGY).require()


def test_what_cannot_be_asked_is_said_and_forbids_nothing(account: EmulatedAccount) -> None:
    """The emulated account has no quotas of RDS to tell."""
    found = feasible(account.client, TOPOLOGY)
    assert found.unknown
    assert all(sentence.startswith("quotas in") for sentence in found.unknown)
    found.require()


def test_the_estimate_says_where_its_prices_are_from() -> None:
    """From the table, or for the databases from the Pricing API, whose answer is JSON in a list of strings."""
    listed = estimate(TOPOLOGY, None)
    assert listed.usd_h == pytest.approx(0.26 + 0.519 + 0.04 + 14.0 / 730, abs=0.02)
    assert "nobody has checked" in listed.sentence(2.0)
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": "1.0000000000"}}
    product = json.dumps({"terms": {"OnDemand": {"a": {"priceDimensions": {"b": dimension}}}}})
    pricing = boto3.client("pricing", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(pricing) as stub:
        stub.add_response("get_products", {"PriceList": [product]})
        stub.add_response("get_products", {"PriceList": [product]})
        asked = estimate(TOPOLOGY, lambda service, region: pricing)
    assert listed.usd_h is not None
    assert asked.usd_h == pytest.approx(listed.usd_h - 0.779 + 2.0)
    assert "Pricing API" in asked.sentence(1.0)
