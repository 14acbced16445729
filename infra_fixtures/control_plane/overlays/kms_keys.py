"""KMS keys that are disabled or pending deletion refuse to work, and replicas decrypt each other's blobs; in moto neither is so.

https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
A symmetric key has no public half (GetPublicKey, UnsupportedOperationException); moto makes each an RSA pair, in 0.1 s.
"""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.kms import models
from moto.kms.models import Key, KmsBackend
from moto.kms.utils import KEY_ID_LEN, decrypt, generate_private_key

from infra_fixtures.control_plane.overlays.patching import replaces
from infra_fixtures.run_layout import RunLayout

USES = ("encrypt", "sign", "verify", "generate_mac", "verify_mac")
"""The operations that need an enabled key; data keys and re-encryption come down to `encrypt` and `decrypt`."""

PAIRS = ("RSA_", "ECC_")
"""How the specs of asymmetric keys begin, as far as moto makes them."""

STATE_CHANGES = ("enable_key", "disable_key", "schedule_key_deletion", "cancel_key_deletion")
"""Operations that AWS takes a key's ARN for as well as its id; moto fails on the ARN."""


class DisabledException(JsonRESTError):
    """The key is disabled."""

    code = 400

    def __init__(self, arn: str) -> None:
        super().__init__("DisabledException", f"{arn} is disabled.")


class KMSInvalidStateException(JsonRESTError):
    """The key's state does not allow the request."""

    code = 400

    def __init__(self, arn: str, state: str) -> None:
        shown = {"PendingDeletion": "pending deletion"}.get(state, state)
        super().__init__("KMSInvalidStateException", f"{arn} is {shown}.")


def apply(layout: RunLayout) -> None:
    """Mend moto's keys."""
    replaces(models, "generate_private_key")(_private_half(generate_private_key))
    replaces(KmsBackend, "get_public_key")(_of_a_pair(KmsBackend.get_public_key))
    for name in USES:
        replaces(KmsBackend, name)(_checking(getattr(KmsBackend, name)))
    replaces(KmsBackend, "decrypt")(_decrypt)
    for name in STATE_CHANGES:
        replaces(KmsBackend, name)(_by_arn_too(getattr(KmsBackend, name)))


def require_enabled(key: Key) -> None:
    """Raise what KMS raises where a key cannot be used."""
    if key.key_state == "Disabled":
        raise DisabledException(key.arn)
    if key.key_state != "Enabled":
        raise KMSInvalidStateException(key.arn, key.key_state)


def _checking(original: Any) -> Any:
    def use(self: KmsBackend, *args: Any, **kwargs: Any) -> Any:
        key_id = self.any_id_to_key_id(kwargs["key_id"] if "key_id" in kwargs else args[0])
        if key_id in self.keys:
            require_enabled(self.keys[key_id])
        return original(self, *args, **kwargs)

    return use


def _private_half(original: Any) -> Any:
    def generate(key_spec: str) -> Any:
        return original(key_spec) if key_spec.startswith(PAIRS) else None

    return generate


def _of_a_pair(original: Any) -> Any:
    def get(self: KmsBackend, key_id: str) -> Any:
        if not self.describe_key(key_id).key_spec.startswith(PAIRS):
            raise JsonRESTError("UnsupportedOperationException", "A symmetric key has no public key.")
        return original(self, key_id)

    return get


def _by_arn_too(original: Any) -> Any:
    def change(self: KmsBackend, key_id: str, *args: Any, **kwargs: Any) -> Any:
        return original(self, self.get_key_id(key_id), *args, **kwargs)

    return change


def _decrypt(
    self: KmsBackend, ciphertext_blob: bytes, encryption_context: dict[str, str], key_id: str | None = None
) -> tuple[bytes, str]:
    """moto's blob has room for 36 characters of a key's id; a multi-Region key's has 40 and was never found again."""
    named = ciphertext_blob[:KEY_ID_LEN].decode("ascii", errors="replace")
    key = next((k for k in self.keys.values() if k.id[:KEY_ID_LEN] == named), None)
    if key is not None:
        require_enabled(key)
    plaintext, _ = decrypt({} if key is None else {named: key}, ciphertext_blob, encryption_context)
    assert key is not None, "moto decrypts by known keys alone"
    if key_id is not None and self.any_id_to_key_id(key_id) != key.id:
        raise JsonRESTError(
            "IncorrectKeyException", "The key ID in the request does not identify the CMK of the ciphertext."
        )
    return plaintext, key.arn
