"""A description as infrastructure code tells it: Terraform's outputs and CloudFormation's give the same as the TOML file."""

from __future__ import annotations

import json
from typing import Any

import pytest
import tomli_w

from drill.unusable import UnusableInput
from infra_fixtures.targets.attach.description import Description

REGIONS = ("us-east-1", "us-west-2")
WHOLE: dict[str, Any] = {
    "name": "orders",
    "workload": "orders.toml",
    "rate_cap": 40.0,
    "service": {"url": "https://orders.example"},
    "primary": {"name": REGIONS[0], "url": "https://a.example/prod"},
    "standby": {"name": REGIONS[1], "url": "https://b.example/prod", "addresses": ["198.51.100.7", "198.51.100.8"]},
    "aws": {
        "function": "orders",
        "buckets": {"primary": "left-bucket", "standby": "right-bucket"},
        "network": {
            "primary": {"vpc": "vpc-1", "private_subnets": ["subnet-1", "subnet-2"], "database_group": "sg-1"},
            "standby": {"vpc": "vpc-2", "private_subnets": ["subnet-3"], "database_group": "sg-2"},
        },
    },
}
FLAT = {
    "name": "orders", "workload": "orders.toml", "rate_cap": "40", "service_url": "https://orders.example",
    "primary_name": REGIONS[0], "primary_url": "https://a.example/prod", "standby_name": REGIONS[1],
    "standby_url": "https://b.example/prod", "standby_addresses": "198.51.100.7, 198.51.100.8", "aws_function": "orders",
    "aws_buckets_primary": "left-bucket", "aws_buckets_standby": "right-bucket", "aws_network_primary_vpc": "vpc-1",
    "aws_network_primary_private_subnets": "subnet-1,subnet-2", "aws_network_primary_database_group": "sg-1",
    "aws_network_standby_vpc": "vpc-2", "aws_network_standby_private_subnets": "subnet-3",
    "aws_network_standby_database_group": "sg-2",
}  # fmt: skip


def terraform(values: dict[str, Any], **more: Any) -> str:
    """As `terraform output -json` writes it; `tofu` writes the same."""
    return json.dumps({name: {"sensitive": False, "type": "string", "value": v, **more} for name, v in values.items()})


def cloudformation(values: dict[str, str]) -> str:
    """As `aws cloudformation describe-stacks` writes it."""
    outputs = [{"OutputKey": key, "OutputValue": value} for key, value in values.items()]
    return json.dumps({"Stacks": [{"StackName": "orders", "StackStatus": "CREATE_COMPLETE", "Outputs": outputs}]})


def camel(name: str) -> str:
    """Output keys of CloudFormation are letters and digits."""
    return "".join(part.capitalize() for part in name.split("_"))


@pytest.mark.parametrize(
    "text",
    [
        terraform({"failover_drill": WHOLE, "other": 3}),
        terraform({f"drill_{name}": value for name, value in FLAT.items()} | {"vpc_id": "vpc-9"}),
        cloudformation({"FailoverDrill": json.dumps(WHOLE)}),
        cloudformation({camel(f"drill_{name}"): value for name, value in FLAT.items()} | {"Other": "x"}),
    ],
    ids=["terraform-object", "terraform-flat", "cloudformation-text", "cloudformation-flat"],
)
def test_every_kind_of_output_is_the_same_description(text: str) -> None:
    """Whole in one output, or an output for each place."""
    assert Description.parse(text, source="it") == Description.parse(tomli_w.dumps(WHOLE), source="it")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "it begins as JSON and is none"),
        ('{"vpc_id": {"value": "vpc-1"}}', "it has no output failover_drill, and none whose name begins with drill_"),
        ('{"Stacks": [{}]}', "it has no output failover_drill"),
        ('{"failover_drill": {"value": 3}}', "the output failover_drill is no object"),
        ('{"failover_drill": {"value": "{"}}', "the output failover_drill is no JSON"),
        (terraform({"drill_name": "x"}, sensitive=True), "the output drill_name is sensitive: no secret belongs"),
        (terraform({"drill_name": "orders"}), "it: Object missing required field `workload`"),
    ],
)
def test_what_holds_no_description_is_a_sentence(text: str, sentence: str) -> None:
    """Which output is missing or wrong."""
    with pytest.raises(UnusableInput) as refused:
        Description.parse(text, source="it")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_sites_in_an_account_are_called_by_their_regions() -> None:
    """Any other name would be no region of the account's API."""
    tables = {**WHOLE, "primary": {**WHOLE["primary"], "name": "left"}}
    with pytest.raises(
        UnusableInput, match="left is no AWS region: with \\[aws\\], call each site by the name of its region"
    ):
        Description.parse(tomli_w.dumps(tables), source="it")
