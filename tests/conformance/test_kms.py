"""KMS: keys that encrypt, and keys that no longer do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.backends import STANDBY, Backend
from tests.conformance.conftest import Names
from tests.conformance.refusals import refused


@pytest.fixture
def kms(aws: Backend) -> Any:
    """A client of the primary."""
    return aws.client("kms")


@pytest.fixture
def key(kms: Any) -> str:
    """A fresh key's id."""
    return str(kms.create_key()["KeyMetadata"]["KeyId"])


def test_what_a_key_encrypts_it_decrypts(kms: Any, key: str) -> None:
    """And the answer names the key."""
    sealed = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=sealed)
    assert opened["Plaintext"] == b"secret"
    assert opened["KeyId"].endswith(key)


def test_a_disabled_key_neither_encrypts_nor_decrypts_until_enabled(kms: Any, key: str) -> None:
    """The fault "key disabled", and its healing."""
    sealed = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    with refused("DisabledException"):
        kms.encrypt(KeyId=key, Plaintext=b"secret")
    with refused("DisabledException"):
        kms.decrypt(CiphertextBlob=sealed)
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"


def test_a_key_to_be_deleted_encrypts_no_more(kms: Any, key: str) -> None:
    """Until its deletion is cancelled and it is enabled."""
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    with refused("KMSInvalidStateException"):
        kms.encrypt(KeyId=key, Plaintext=b"secret")
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    assert kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]


def test_a_replica_key_decrypts_in_the_other_region(aws: Backend, kms: Any) -> None:
    """Multi-Region keys are one key in two places."""
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    kms.replicate_key(KeyId=key, ReplicaRegion=STANDBY)
    sealed = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    assert aws.client("kms", STANDBY).decrypt(CiphertextBlob=sealed, KeyId=key)["Plaintext"] == b"secret"


def test_an_alias_leads_to_its_key(kms: Any, key: str, unique: Names) -> None:
    """Keys are found by alias."""
    kms.create_alias(AliasName=f"alias/{unique('orders')}", TargetKeyId=key)
    assert kms.describe_key(KeyId=f"alias/{unique('orders')}")["KeyMetadata"]["KeyId"] == key
