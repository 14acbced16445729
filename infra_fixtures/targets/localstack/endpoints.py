"""Where the AWS API is, by localstack-client: one Session a region, and nothing but loopback.

A Session ignores the `region_name` of its `client` and gives its own, so each region has its own Session.
"""

from __future__ import annotations

import os
from typing import Any

from localstack_client.session import Session

from drill.unusable import UnusableInput
from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.run_layout import Address
from infra_fixtures.targets.clients import CONFIG, Make
from infra_fixtures.targets.localstack.loopback import refuse_elsewhere

REDIRECTION = "AWS_ENDPOINT_URL"
"""localstack-client puts this variable above everything."""


def of_own_sessions(key: AccessKey) -> Make:
    """Clients of new Sessions, at the region's own endpoint (a global service: at the global one)."""
    sessions: dict[tuple[Address, str], Session] = {}

    def make(address: Address, service: str, region: str) -> Any:
        if (address, region) not in sessions:
            sessions[address, region] = _session(address, region, key)
        client = sessions[address, region].client(service, config=CONFIG)
        refuse_elsewhere(client.meta.endpoint_url)
        return client

    return make


def _session(address: Address, region: str, key: AccessKey) -> Session:
    if os.environ.get(REDIRECTION):
        raise UnusableInput(f"{REDIRECTION} is set and would lead every client there: unset it and start again")
    return Session(key.id, key.secret, region_name=region, localstack_host=str(address))
