"""A replicated secret is under a key of its region, which the API says in both regions."""

from __future__ import annotations

from tests.infra_fixtures.conftest import AwsClient


def test_a_replica_is_under_the_key_asked_for(aws_client: AwsClient) -> None:
    """CreateSecret names a key for each region: DescribeSecret says the primary's here and the replica's there."""
    here, there = aws_client("secretsmanager", "us-east-1"), aws_client("secretsmanager", "us-west-2")
    keys = {r: aws_client("kms", r).create_key()["KeyMetadata"]["Arn"] for r in ("us-east-1", "us-west-2")}
    here.create_secret(
        Name="keyed",
        KmsKeyId=keys["us-east-1"],
        SecretString="{}",
        AddReplicaRegions=[{"Region": "us-west-2", "KmsKeyId": keys["us-west-2"]}],
    )
    primary = here.describe_secret(SecretId="keyed")
    assert primary["KmsKeyId"] == keys["us-east-1"]
    assert [(r["Region"], r["KmsKeyId"]) for r in primary["ReplicationStatus"]] == [("us-west-2", keys["us-west-2"])]
    assert there.describe_secret(SecretId="keyed")["KmsKeyId"] == keys["us-west-2"]


def test_without_a_key_it_is_the_default_one(aws_client: AwsClient) -> None:
    """A replica asked for later, with no key named, is under the account's default key, which only the status names."""
    here, there = aws_client("secretsmanager", "us-east-1"), aws_client("secretsmanager", "us-west-2")
    key = aws_client("kms", "us-east-1").create_key()["KeyMetadata"]["Arn"]
    here.create_secret(Name="plain", KmsKeyId=key, SecretString="{}")
    said = here.replicate_secret_to_regions(SecretId="plain", AddReplicaRegions=[{"Region": "us-west-2"}])
    assert [r["KmsKeyId"] for r in said["ReplicationStatus"]] == ["alias/aws/secretsmanager"]
    assert "KmsKeyId" not in there.describe_secret(SecretId="plain")
