"""A pytest plugin for a game day under test: writes down, outside of its run, the secrets that no record may hold."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from gameday.day import GameDay
from infra_fixtures.targets.embedded_world import Embedded
from infra_fixtures.targets.world import World

WITNESS_VARIABLE = "DRILL_TEST_WITNESS"


def pytest_configure(config: pytest.Config) -> None:
    """Once a world stands: the API key, the run's credentials, the database's password, the workers' token."""
    describe = GameDay.describe

    def describe_and_tell(day: GameDay, world: World | None) -> None:
        describe(day, world)
        if not isinstance(world, Embedded):
            return
        known = {"api key": world.entry.api_key, "token": day.options.distribution.token}
        known |= {f"credential {n}": secret for n, secret in enumerate(world.layout.credentials.secrets)}
        vault = world.client("secretsmanager", world.primary)
        for held in vault.list_secrets()["SecretList"]:
            value = vault.get_secret_value(SecretId=held["ARN"])["SecretString"]
            known[held["Name"]] = json.loads(value)["password"]
        Path(os.environ[WITNESS_VARIABLE]).write_text(json.dumps(known))

    GameDay.describe = describe_and_tell  # type: ignore[assignment, method-assign]
