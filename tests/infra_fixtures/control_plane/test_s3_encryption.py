"""An object under a KMS key goes the way of its key."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra_fixtures.conftest import AwsClient


@pytest.fixture(scope="module")
def clients(aws_client: AwsClient) -> tuple[Any, Any]:
    """S3 and KMS."""
    return aws_client("s3"), aws_client("kms")


def test_a_disabled_key_stops_puts_and_gets_of_its_bucket_alone(clients: tuple[Any, Any]) -> None:
    """KMS.DisabledException for objects under it by the bucket's default, others untouched; enabled, all is well."""
    s3, kms = clients
    key = kms.create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket="sealed")
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket="sealed", ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.create_bucket(Bucket="plain")
    s3.put_object(Bucket="sealed", Key="a b/1", Body=b"one")
    kms.disable_key(KeyId=key)
    for use, asked in ((s3.put_object, {"Body": b"two"}), (s3.get_object, {})):
        with pytest.raises(s3.exceptions.ClientError) as raised:
            use(Bucket="sealed", Key="a b/1", **asked)
        assert raised.value.response["Error"]["Code"] == "KMS.DisabledException"
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert s3.head_object(Bucket="sealed", Key="a b/1")["ContentLength"] == 3
    s3.put_object(Bucket="plain", Key="k", Body=b"x")
    kms.enable_key(KeyId=key)
    assert s3.get_object(Bucket="sealed", Key="a b/1")["Body"].read() == b"one"


def test_an_object_may_name_its_own_key(clients: tuple[Any, Any]) -> None:
    """A key that does not exist is refused; one by its id or alias is taken."""
    s3, kms = clients
    s3.create_bucket(Bucket="chosen")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/orders", TargetKeyId=key)
    asked = {"Bucket": "chosen", "Key": "k", "Body": b"x", "ServerSideEncryption": "aws:kms"}
    with pytest.raises(s3.exceptions.ClientError, match="NotFoundException"):
        s3.put_object(**asked, SSEKMSKeyId="arn:aws:kms:us-east-1:123456789012:key/none")
    s3.put_object(**asked, SSEKMSKeyId="alias/orders")
    s3.put_object(**asked, SSEKMSKeyId=key)
    assert s3.get_object(Bucket="chosen", Key="k")["Body"].read() == b"x"
