"""One function as the service holds it: its versions' pools, its aliases, its limits, its policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra_fixtures.data_plane.lambda_runtime.definition import LATEST, Retries, permits
from infra_fixtures.data_plane.lambda_runtime.pool import Pool


class Function:
    """A function by its name; what it holds is replaced piece by piece as the control plane changes."""

    def __init__(self, name: str, arn: str) -> None:
        self.name = name
        self.arn = arn
        self.pools: dict[str, Pool] = {}
        self.retries = Retries()
        self._aliases: Mapping[str, str] = {}
        self._provisioned: Mapping[str, int] = {}
        self._policy: tuple[Mapping[str, Any], ...] = ()
        self._permitted: dict[tuple[str, str], bool] = {}

    def pool(self, qualifier: str) -> Pool | None:
        """The pool that serves an alias or a version; None where there is none."""
        return self.pools.get(self._aliases.get(qualifier, qualifier))

    def required_versions(self) -> set[str]:
        """The versions that need a pool: $LATEST, what aliases point at, what has provisioned concurrency."""
        return {LATEST, *self._aliases.values(), *(self._aliases.get(q, q) for q in self._provisioned)}

    @property
    def aliases(self) -> Mapping[str, str]:
        """The version each alias points at."""
        return self._aliases

    def take_aliases(self, aliases: Mapping[str, str]) -> None:
        """Point the aliases."""
        self._aliases = aliases

    def take_provisioned(self, provisioned: Mapping[str, int]) -> None:
        """Note the provisioned concurrency by qualifier; `provision` brings it about."""
        self._provisioned = provisioned

    def provision(self) -> None:
        """Have every pool start what is provisioned for it."""
        required: dict[str, int] = {}
        for qualifier, count in self._provisioned.items():
            version = self._aliases.get(qualifier, qualifier)
            required[version] = required.get(version, 0) + count
        for version, pool in self.pools.items():
            pool.provisioned = required.get(version, 0)
            pool.ensure()

    def take_policy(self, statements: tuple[Mapping[str, Any], ...]) -> None:
        """Replace the resource policy."""
        if statements != self._policy:
            self._policy = statements
            self._permitted.clear()

    def permits(self, principal: str, source_arn: str) -> bool:
        """Whether the policy lets that AWS service invoke it for that source."""
        key = (principal, source_arn)
        answer = self._permitted.get(key)
        if answer is None:
            answer = self._permitted[key] = permits(self._policy, principal, source_arn)
        return answer
