"""Who can answer the AWS API in these checks: boto3 clients at an endpoint a region, and what is known to differ there."""

from __future__ import annotations

import ipaddress
import json
import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.global_services import GLOBAL, GLOBAL_SERVICES

PRIMARY, STANDBY = "us-east-1", "us-west-2"
LOCALSTACK_URLS = "LOCALSTACK_URLS"
NOT_OFFERED = ("not yet implemented", "pro feature", "license", "not implemented")
DIFFERENCES = Path(__file__).with_name("differences.json")


@dataclass(frozen=True, slots=True)
class Backend:
    """A control plane; `urls` by region, with "global" for what belongs to none (else the primary's)."""

    name: str
    urls: Mapping[str, str]
    key: AccessKey = field(default=AccessKey("test", "test"))
    """Whose calls it answers; an emulator that checks no signature takes any."""
    differs: Mapping[str, str] = field(default_factory=dict)
    """Checks that are known not to hold here, by their names, each with its reason."""

    def client(self, service: str, region: str = PRIMARY) -> Any:
        """A boto3 client; a call that fails is not tried again."""
        url = self.urls[region]
        if service in GLOBAL_SERVICES:
            url = self.urls.get(GLOBAL, url)
        return _client(service, region, url, self.key)


@cache
def _client(service: str, region: str, url: str, key: AccessKey) -> Any:
    """Making a client takes up to half a second: each is made once."""
    return boto3.session.Session().client(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        config=Config(retries={"max_attempts": 0}, connect_timeout=2, read_timeout=30, s3={"addressing_style": "path"}),
    )


def localstack() -> Backend | None:
    """The LocalStack that LOCALSTACK_URLS names (us-east-1=URL,us-west-2=URL,global=URL); None where it is not set."""
    given = os.environ.get(LOCALSTACK_URLS)
    if not given:
        return None
    urls = dict(part.strip().partition("=")[::2] for part in given.split(","))
    if not {PRIMARY, STANDBY} <= urls.keys():
        raise pytest.UsageError(f"{LOCALSTACK_URLS} names no {PRIMARY} or {STANDBY}: give {PRIMARY}=URL,{STANDBY}=URL")
    apart = known("localstack, one a region") if urls[PRIMARY] != urls[STANDBY] else {}
    return Backend("localstack", {k: loopback(v) for k, v in urls.items()}, differs=known("localstack") | apart)


def endpoint(url: str) -> Backend:
    """Whatever answers at one endpoint for every region; nothing is known of it."""
    return Backend("endpoint", dict.fromkeys((PRIMARY, STANDBY), loopback(url)))


def known(backend: str) -> dict[str, str]:
    """What is known to differ on a backend."""
    found = json.loads(DIFFERENCES.read_text())
    return {str(k): str(v) for k, v in found.get(backend, {}).items()}


def loopback(url: str) -> str:
    """The URL, where it is on this machine: the checks make things and leave them, so no account may be reached."""
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = host == "localhost"
    if not here:
        raise pytest.UsageError(f"{url} is not on this machine: the checks leave things behind, give a loopback URL")
    return url


def not_offered(error: BaseException) -> str | None:
    """The backend's own words where an error says that it has no such service or operation; else None."""
    if not isinstance(error, ClientError):
        return None
    status = error.response["ResponseMetadata"].get("HTTPStatusCode")
    said = str(error.response["Error"].get("Message") or error.response["Error"].get("Code"))
    return said if status == 501 or any(words in said.lower() for words in NOT_OFFERED) else None
