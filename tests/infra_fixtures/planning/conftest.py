"""An account at moto's server, a deployment in it, and the game day file that allows to drill it."""

from __future__ import annotations

import datetime as dt
import urllib.request
from collections.abc import Iterator

import pytest
from moto.server import ThreadedMotoServer

from drill.host_environment import keep_to_this_machine
from infra_fixtures.targets import TARGETS, Target
from infra_fixtures.targets.guard_options import GUARD_OPTIONS
from tests.infra_fixtures.planning import account_target

NOW = dt.datetime.now(dt.UTC)

ALLOWED = f"""\
accounts = ["123456789012"]
regions = ["us-east-1", "us-west-2", "global"]
approvers = ["ana@example.com", "ben@example.com"]
ticket = "CHG-2026-0412"
requests_per_second = 300.0

[tag]
key = "dr-drill"
value = "may-break"

[blast_radius]
faults = ["lambda_throttled", "security_group_revoked", "subnets_isolated", "region_lost"]
services = ["lambda", "ec2"]
resources = 6

[[window]]
opens = {NOW - dt.timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}
closes = {NOW + dt.timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}

[[alarm]]
name = "checkout-5xx"
region = "us-west-2"
"""


@pytest.fixture(scope="module")
def moto_account() -> Iterator[str]:
    """The URL of a new account's API, with the application deployed in it."""
    with pytest.MonkeyPatch.context() as patch:
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        try:
            host, port = server.get_host_and_port()
            urllib.request.urlopen(f"http://{host}:{port}/moto-api/reset", data=b"").close()
            _point_at(patch, f"http://{host}:{port}")
            account_target.deploy()
            yield f"http://{host}:{port}"
        finally:
            server.stop()


@pytest.fixture
def account(moto_account: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same for one test, which may change the environment; what is sent is counted from here."""
    _point_at(monkeypatch, moto_account)
    monkeypatch.setitem(TARGETS, "account", Target(account_target.__name__, GUARD_OPTIONS))
    account_target.SENT.operations.clear()
    return moto_account


def _point_at(patch: pytest.MonkeyPatch, url: str) -> None:
    own: dict[str, str] = {}
    keep_to_this_machine(own)
    for name, value in own.items():
        patch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CREDENTIAL_EXPIRATION"):
        patch.delenv(name, raising=False)
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        patch.setenv(name, value)
