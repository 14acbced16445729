"""boto3 clients as users of a run have them: at the region's own endpoint, a lost region's does not answer."""

from __future__ import annotations

import functools
import threading
from typing import Any

import boto3
from botocore.config import Config

from infra_fixtures import aws_models
from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.site import Address, Site

GLOBAL_SERVICES = frozenset({"route53", "iam", "cloudfront"})
CONFIG = Config(
    connect_timeout=2,
    read_timeout=30,
    retries={"total_max_attempts": 1},
    max_pool_connections=20,
    s3={"addressing_style": "path"},
)
BUILDING = threading.Lock()
"""Building clients is not thread-safe in boto3."""


def whereabouts(site: Site, service: str, region: str | None) -> tuple[Address, str]:
    """Which endpoint is asked, and for which region: the global one where the service is global or `region` None."""
    if region is None or service in GLOBAL_SERVICES:
        return site.global_aws, site.primary.name
    return site.region(region).aws, region


def client_for(site: Site, service: str, region: str | None) -> Any:
    """The client for a service of a region; the same one for the same question."""
    address, region = whereabouts(site, service, region)
    return _client(address, service, region, site.credentials.user)


@functools.cache
def _session() -> Any:
    """One session for all clients."""
    aws_models.read_fast()
    return boto3.session.Session()


@functools.lru_cache(maxsize=256)
def _client(address: Address, service: str, region: str, key: AccessKey) -> Any:
    with BUILDING:
        return _session().client(
            service,
            region_name=region,
            endpoint_url=address.url,
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            config=CONFIG,
        )
