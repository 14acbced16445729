"""The ledger: on disk before a thing is asked for and after it is made, and what it leads to is seen and taken away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError

from infra_fixtures.provision.naming import Names
from infra_fixtures.targets.aws.kinds import KINDS, Kind
from infra_fixtures.targets.aws.ledger import ASKED, MADE, REFUSED, Ledger, read
from infra_fixtures.targets.aws.leftovers import leftovers, rest_of
from infra_fixtures.targets.emulated_account import EmulatedAccount
from infra_fixtures.topology import embedded_topology

REGION = "us-west-2"
ABSENT = {
    "ec2": "-0123456789abcdef0",
    "kms": "0123abcd-0000-0000-0000-000000000000",
    "acm": "arn:aws:acm:us-west-2:123456789012:certificate/0123abcd-0000-0000-0000-000000000000",
    "sns": "arn:aws:sns:us-west-2:123456789012:none",
    "apigateway": "abcdefghij",
    "route53": "0123abcd-0000-0000-0000-000000000000",
    "application-autoscaling": "function:none:live",
}
EC2_IDS = {
    "CreateVpc": "vpc", "CreateDefaultVpc": "vpc", "CreateSubnet": "subnet", "CreateInternetGateway": "igw",
    "CreateRouteTable": "rtb", "CreateNetworkAcl": "acl", "CreateSecurityGroup": "sg", "CreateVpcEndpoint": "vpce",
}  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty one."""
    return Ledger(tmp_path / "ledger.jsonl")


@pytest.fixture
def sns(account: EmulatedAccount, ledger: Ledger) -> Iterator[Any]:
    """A client that the ledger watches."""
    client = account.client("sns", REGION)
    ledger.watch(client)
    yield client
    client.close()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.service} {kind.makes}")
def test_every_kind_is_made_by_an_operation_that_aws_has(kind: Kind) -> None:
    """By botocore's own model; its name is told by what the operation takes or answers."""
    model = botocore.session.get_session().get_service_model(kind.service).operation_model(kind.makes)
    side, _, path = kind.named.partition(".")
    shape = model.input_shape if side == "given" else model.output_shape
    for part in path.split("."):
        shape = shape.members[part]
    assert shape.type_name == "string"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.service} {kind.makes}")
def test_what_is_not_there_is_told_from_what_cannot_be_asked(account: EmulatedAccount, kind: Kind) -> None:
    """No kind takes a thing that never was for one that is there, and removing it is no error."""
    name = ABSENT.get(kind.service, "none")
    if kind.service == "ec2":
        name = EC2_IDS[kind.makes] + name
    elif kind.makes == "CreateAlias":
        name = "alias/none"
    client = account.client(kind.service, None if kind.service in ("iam", "route53", "cloudfront") else REGION)
    assert not kind.is_there(client, name)


def test_a_line_is_there_before_the_call_and_the_next_after_it(ledger: Ledger, sns: Any) -> None:
    """What a killed harness was about to make is known, and by which id it is found."""
    seen: list[str] = []
    sns.meta.events.register("before-send.sns.CreateTopic", lambda **_: seen.append(ledger.path.read_text()))
    arn = sns.create_topic(Name="drill-one-failover")["TopicArn"]
    assert seen[0].count("\n") == 1
    assert f'"what":"{ASKED}"' in seen[0]
    (line,) = read(ledger.path)
    assert (line.what, line.service, line.region, line.name) == (MADE, "sns", REGION, arn)
    assert arn in ledger
    assert arn in Ledger(ledger.path)
    sns.delete_topic(TopicArn=arn)


def test_what_aws_refuses_was_not_made(ledger: Ledger, sns: Any) -> None:
    """The line says so, and nothing is looked for by it; a torn line of a crash hides no other."""
    with pytest.raises(ClientError):
        sns.create_topic(Name="not a name")
    ledger.path.write_bytes(ledger.path.read_bytes() + b'{"number":"1')
    assert [line.what for line in read(ledger.path)] == [REFUSED]
    assert list(rest_of(lambda service, region: sns, read(ledger.path))) == []


def test_reading_and_changing_what_is_there_are_no_lines(ledger: Ledger, sns: Any) -> None:
    """Only what makes a thing that stands by itself."""
    sns.list_topics()
    assert not ledger.path.exists()


def test_leftovers_are_found_by_name_by_tag_and_by_ledger(account: EmulatedAccount, ledger: Ledger, sns: Any) -> None:
    """Each finds what the others cannot: a name without a tag, a tag without a name, an id with neither."""
    names, topology = Names("left"), embedded_topology(10.0)

    def found() -> str:
        return " ".join(leftovers(account.client, topology, names, read(ledger.path), ""))

    assert found() == ""
    unwatched, ec2 = account.client("sns", REGION), account.client("ec2", "us-east-1")
    by_name = unwatched.create_topic(Name=names.of("failover"))["TopicArn"]
    by_ledger = sns.create_topic(Name="something-else")["TopicArn"]
    by_tag = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=names.tagged("vpc", "vpc"))["Vpc"]["VpcId"]
    try:
        told = found()
        assert by_name in told
        assert f"{by_ledger} (CreateTopic) in {REGION}" in told
        assert f"Vpcs {by_tag} in us-east-1" in told
    finally:
        unwatched.delete_topic(TopicArn=by_name)
        unwatched.delete_topic(TopicArn=by_ledger)
        ec2.delete_vpc(VpcId=by_tag)
    assert found() == ""
