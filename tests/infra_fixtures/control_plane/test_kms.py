"""A key that is disabled or pending deletion is of no use, and works again once enabled."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra_fixtures.conftest import AwsClient


@pytest.fixture(scope="module")
def kms(aws_client: AwsClient) -> Any:
    """A KMS client."""
    return aws_client("kms")


def test_a_disabled_key_neither_encrypts_nor_decrypts(kms: Any) -> None:
    """Encrypt, Decrypt and GenerateDataKey are DisabledException until the key is enabled again."""
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    with pytest.raises(kms.exceptions.DisabledException):
        kms.encrypt(KeyId=key, Plaintext=b"secret")
    with pytest.raises(kms.exceptions.DisabledException):
        kms.decrypt(CiphertextBlob=sealed)
    with pytest.raises(kms.exceptions.DisabledException):
        kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"


def test_a_key_pending_deletion_is_in_an_invalid_state(kms: Any) -> None:
    """KMSInvalidStateException."""
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    with pytest.raises(kms.exceptions.KMSInvalidStateException, match="pending deletion"):
        kms.encrypt(KeyId=key, Plaintext=b"secret")


def test_a_replica_decrypts_what_its_primary_encrypted(kms: Any, aws_client: AwsClient) -> None:
    """A multi-Region key is one key in both regions, and each is disabled by itself."""
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    kms.replicate_key(KeyId=key, ReplicaRegion="us-west-2")
    sealed = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    there = aws_client("kms", "us-west-2")
    kms.disable_key(KeyId=key)
    assert there.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"
