"""The emulated account: empty, signed, with a name server; used as AWS is, and gone with whoever holds it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import boto3
import dns.resolver
import psutil
import pytest
from botocore.exceptions import ClientError

from drill.wait import wait_until
from infra_fixtures.targets.clients import CONFIG
from infra_fixtures.targets.emulated_account import REGIONS, EmulatedAccount, emulated_account


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    """One for all tests here."""
    with emulated_account() as held:
        yield held


def test_it_is_empty(account: EmulatedAccount) -> None:
    """Nothing stands in it but what AWS gives every account: no function, no bucket, no zone, no cluster."""
    for region in REGIONS:
        assert account.client("sts", region).get_caller_identity()["Account"] == account.account_id
        assert account.client("lambda", region).list_functions()["Functions"] == []
        assert account.client("rds", region).describe_db_clusters()["DBClusters"] == []
        assert account.client("s3", region).list_buckets()["Buckets"] == []
    assert account.client("route53").list_hosted_zones()["HostedZones"] == []


def test_the_ordinary_chain_leads_into_it(account: EmulatedAccount) -> None:
    """boto3 finds the access key by the environment alone; a stranger's is refused."""
    asking = """
import boto3, sys
print(boto3.client("sts", region_name="us-east-1", endpoint_url=sys.argv[1]).get_caller_identity()["Account"])
"""
    command = [sys.executable, "-c", asking, account.endpoints["us-east-1"]]
    own = subprocess.run(command, env=account.environment(), capture_output=True, text=True, timeout=30)
    assert own.stdout.strip() == account.account_id, own.stderr
    assert account.credentials_file.stat().st_mode & 0o077 == 0
    stranger = boto3.session.Session().client(
        "sts",
        region_name="us-east-1",
        endpoint_url=account.endpoints["us-east-1"],
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="wrong",
        config=CONFIG,
    )
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        stranger.get_caller_identity()


def test_its_name_server_answers_for_regional_apis(account: EmulatedAccount) -> None:
    """AWS's own names lead to the edges of the account's regions."""
    asking = dns.resolver.Resolver(configure=False)
    host, _, port = account.name_server.partition(":")
    asking.nameservers, asking.port, asking.lifetime = [host], int(port), 1.0

    def found(region: str) -> str:
        try:
            return str(asking.resolve(f"abc.execute-api.{region}.amazonaws.com", "A")[0])
        except dns.resolver.LifetimeTimeout:
            return ""  # it starts after the AWS API

    addresses = {wait_until(lambda r=region: found(r), what="a name", timeout_s=20, every_s=0.1) for region in REGIONS}  # type: ignore[misc]
    assert addresses == {account.layout.region(region).edge.host for region in REGIONS}


def test_the_command_holds_one_until_it_is_told(account: EmulatedAccount) -> None:
    """`emulate` prints what a person needs and leaves nothing when it is stopped."""
    held = subprocess.Popen(
        [sys.executable, "-m", "infra_fixtures", "emulate"],
        env=account.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert held.stdout is not None
    try:
        said = []
        for line in held.stdout:
            said.append(line)
            if line.startswith("Ctrl-C"):
                break
        own = psutil.Process(held.pid).children(recursive=True)
        assert any("--target aws" in line for line in said)
        assert any("get-caller-identity" in line for line in said)
        assert own
    finally:
        os.kill(held.pid, signal.SIGTERM)
        status = held.wait(timeout=30)
    assert status == 0
    _, alive = psutil.wait_procs(own, timeout=5)
    assert not alive
