"""A pytest plugin for a game day under test: writes down, outside of its run, the secrets that no record may hold."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scenarios.stage import GAME_DAY

WITNESS_VARIABLE = "DRILL_TEST_WITNESS"


@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> Iterator[None]:
    """Once the world stands: the API key, the run's credentials, the database's password, the workers' token."""
    outcome = yield
    if fixturedef.argname != "world":
        return
    world = outcome.get_result()  # type: ignore[attr-defined]
    known = {"api key": world.entry.api_key, "token": request.config.stash[GAME_DAY].sharing.token}
    known |= {f"credential {n}": secret for n, secret in enumerate(world.site.credentials.secrets)}
    vault = world.client("secretsmanager", world.primary)
    for held in vault.list_secrets()["SecretList"]:
        value = vault.get_secret_value(SecretId=held["ARN"])["SecretString"]
        known[held["Name"]] = json.loads(value)["password"]
    Path(os.environ[WITNESS_VARIABLE]).write_text(json.dumps(known))
