"""Where the AWS API is, by localstack-client: one Session a region, and nothing but loopback.

A Session ignores the `region_name` of its `client` and gives its own, so each region has its own Session.
"""

from __future__ import annotations

import functools
import os
from typing import Any

from localstack_client.session import Session

from drill.unusable import UnusableInput
from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.site import Address, Site
from infra_fixtures.targets.clients import BUILDING, CONFIG, whereabouts
from infra_fixtures.targets.localstack.loopback import refuse_elsewhere

REDIRECTION = "AWS_ENDPOINT_URL"
"""localstack-client puts this variable above everything."""


def client_for(site: Site, service: str, region: str | None) -> Any:
    """A boto3 client at the region's own endpoint (None or a global service: at the global one)."""
    address, region = whereabouts(site, service, region)
    return _client(address, service, region, site.credentials.user)


@functools.lru_cache(maxsize=256)
def _client(address: Address, service: str, region: str, key: AccessKey) -> Any:
    with BUILDING:
        client = _session(address, region, key).client(service, config=CONFIG)
    refuse_elsewhere(client.meta.endpoint_url)
    return client


@functools.lru_cache(maxsize=16)
def _session(address: Address, region: str, key: AccessKey) -> Session:
    if os.environ.get(REDIRECTION):
        raise UnusableInput(f"{REDIRECTION} is set and would lead every client there: unset it and start again")
    return Session(key.id, key.secret, region_name=region, localstack_host=str(address))
