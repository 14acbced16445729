"""IAM, STS and Secrets Manager: who may what, and the database user's secret in both regions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.backends import STANDBY, Backend
from tests.conformance.conftest import Names
from tests.conformance.refusals import refused

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}]}


@pytest.fixture
def iam(aws: Backend) -> Any:
    """A client; IAM belongs to no region."""
    return aws.client("iam")


@pytest.fixture
def role(iam: Any, unique: Names) -> str:
    """A fresh role with a policy of its own."""
    iam.create_role(RoleName=unique("orders"), AssumeRolePolicyDocument=TRUST)
    iam.put_role_policy(RoleName=unique("orders"), PolicyName="own", PolicyDocument=json.dumps(POLICY))
    return unique("orders")


def test_a_role_s_policy_is_read_back(iam: Any, role: str) -> None:
    """What was allowed is what is told."""
    assert iam.get_role_policy(RoleName=role, PolicyName="own")["PolicyDocument"] == POLICY


def test_a_role_is_made_once(iam: Any, role: str) -> None:
    """The second is refused."""
    with refused("EntityAlreadyExists"):
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)


def test_a_role_with_policies_cannot_be_deleted(iam: Any, role: str) -> None:
    """Tear-down has to take them away first."""
    with refused("DeleteConflict"):
        iam.delete_role(RoleName=role)


def test_the_caller_has_an_account(aws: Backend) -> None:
    """Twelve digits, the same in both regions."""
    accounts = {aws.client("sts", region).get_caller_identity()["Account"] for region in ("us-east-1", STANDBY)}
    assert len(accounts) == 1
    assert len(accounts.pop()) == 12


def test_a_secret_is_read_in_the_region_it_is_replicated_to(aws: Backend, unique: Names) -> None:
    """The standby's functions read the replica when the primary is gone."""
    name = unique("database")
    aws.client("secretsmanager").create_secret(
        Name=name, SecretString='{"password": "p"}', AddReplicaRegions=[{"Region": STANDBY}]
    )
    found = aws.client("secretsmanager", STANDBY).get_secret_value(SecretId=name)
    assert json.loads(found["SecretString"]) == {"password": "p"}


def test_a_secret_changed_is_read_changed(aws: Backend, unique: Names) -> None:
    """No old value is served."""
    client = aws.client("secretsmanager")
    client.create_secret(Name=unique("database"), SecretString="1")
    client.put_secret_value(SecretId=unique("database"), SecretString="2")
    assert client.get_secret_value(SecretId=unique("database"))["SecretString"] == "2"
