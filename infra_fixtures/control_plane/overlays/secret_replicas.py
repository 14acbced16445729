"""A secret's replica is under the key that was asked for in its region; moto says the default key, whatever was asked.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ReplicaRegionType.html
"""

from __future__ import annotations

from typing import Any

from moto.secretsmanager.models import FakeSecret, ReplicaSecret, SecretsManagerBackend

from infra_fixtures.control_plane.overlays.patching import replaces
from infra_fixtures.run_layout import RunLayout


def apply(layout: RunLayout) -> None:
    """Make moto's replicas keep their key."""
    replaces(FakeSecret, "create_replicas")(_keeping_keys(FakeSecret.create_replicas))
    replaces(ReplicaSecret, "to_dict")(_under_its_own_key(ReplicaSecret.to_dict))


def _keeping_keys(original: Any) -> Any:
    def create_replicas(
        self: FakeSecret, replica_regions: list[dict[str, str]], force_overwrite: bool
    ) -> list[ReplicaSecret]:
        replicas: list[ReplicaSecret] = original(self, replica_regions, force_overwrite)
        for replica, requested in zip(replicas, replica_regions, strict=True):
            replica.config["KmsKeyId"] = requested.get("KmsKeyId") or SecretsManagerBackend.DEFAULT_KMS_KEY_ALIAS
        return replicas

    return create_replicas


def _under_its_own_key(original: Any) -> Any:
    def to_dict(self: ReplicaSecret) -> dict[str, Any]:
        """DescribeSecret in the replica's region, and ListSecrets; the default key is not named there."""
        described: dict[str, Any] = original(self)
        described.pop("KmsKeyId", None)
        if self.config["KmsKeyId"] != SecretsManagerBackend.DEFAULT_KMS_KEY_ALIAS:
            described["KmsKeyId"] = self.config["KmsKeyId"]
        return described

    return to_dict
