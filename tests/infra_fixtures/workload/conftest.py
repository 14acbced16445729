"""One system for the workload's tests, and its code in this process, connected as the deployed one is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import boto3
import pytest

from infra_fixtures.workload import order_api
from infra_fixtures.workload.database import Database
from tests.real_world import System, shared_system, system

__all__ = ["shared_system", "system"]


@pytest.fixture
def deployed_here(system: System, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    """The environment of the primary's order function in this process, past the links: straight to database and AWS."""
    world = system.world
    here = world.layout.region(world.primary)
    made = world.deployed.regions[world.primary]
    function = world.client("lambda", world.primary).get_function_configuration(
        FunctionName=world.deployed.orders_function
    )
    for name, value in function["Environment"]["Variables"].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DB_WRITER_HOST", here.node.host)
    monkeypatch.setenv("DB_READER_HOST", here.node.host)
    monkeypatch.setenv("AWS_ENDPOINT_URL", here.aws.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", world.access_key.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", world.access_key.secret)
    monkeypatch.setenv("AWS_DEFAULT_REGION", world.primary)
    # boto3's own session keeps the credentials that whoever used it first had.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    assert os.environ["DB_SECRET_ARN"] == made.secret_arn
    order_api._kept.clear()
    yield system
    for database in (order_api.WRITER, order_api.READER):
        database.drop()
    order_api._kept.clear()


@pytest.fixture
def database(deployed_here: System) -> Iterator[Database]:
    """A connection to the writer, as the order API has one."""
    secret = deployed_here.world.client("secretsmanager", deployed_here.world.primary).get_secret_value(
        SecretId=os.environ["DB_SECRET_ARN"]
    )
    made = Database("DB_WRITER_HOST", lambda: json.loads(secret["SecretString"]), lambda: None)
    yield made
    made.drop()
