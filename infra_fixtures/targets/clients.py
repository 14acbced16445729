"""boto3 clients as users of a run have them: at the region's own endpoint, a lost region's does not answer.

They belong to the run and are closed with it: each keeps up to 20 connections open, and what describes its service takes
a megabyte.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config

from infra_fixtures import aws_models
from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.global_services import GLOBAL, GLOBAL_SERVICES
from infra_fixtures.run_layout import Address, RunLayout, child_environment
from infra_fixtures.safety.guard import Guard
from infra_fixtures.safety.scope import Scope

CONFIG = Config(
    connect_timeout=2,
    read_timeout=30,
    retries={"total_max_attempts": 1},
    max_pool_connections=20,
    s3={"addressing_style": "path"},
)

Make = Callable[[Address, str, str], Any]
"""Makes a client: for an endpoint, a service and a region. Called by one thread at a time."""


def endpoint_for(layout: RunLayout, service: str, region: str | None) -> tuple[Address, str]:
    """Which endpoint is asked, and for which region: the global one where the service is global or `region` None."""
    if region is None or service in GLOBAL_SERVICES:
        return layout.global_aws, layout.primary.name
    return layout.region(region).aws, region


def of_one_session(key: AccessKey) -> Make:
    """Clients of one new boto3 session, whose descriptions of AWS's services go with it."""
    aws_models.read_fast()
    session = boto3.session.Session()

    def make(address: Address, service: str, region: str) -> Any:
        return session.client(
            service,
            region_name=region,
            endpoint_url=address.url,
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            config=CONFIG,
        )

    return make


class Clients:
    """The clients of the run at `layout`; threads may share it."""

    def __init__(self, layout: RunLayout, makes: Callable[[AccessKey], Make] = of_one_session) -> None:
        self.layout = layout
        allowed = Scope(
            frozenset({layout.account_id}), frozenset({GLOBAL, *(r.name for r in layout.regions)}), confirmed=True
        )
        self.guard = Guard(allowed, self.client, account=layout.account_id)
        """Lets through what changes this run's own account in its own regions, and nothing else."""
        self._make = makes(layout.credentials.user)
        self._made: dict[tuple[Address, str, str], Any] = {}
        self._closed = False
        self._building = threading.Lock()  # making clients is not thread-safe in boto3

    @property
    def environment(self) -> Mapping[str, str]:
        """The run id, and what Python needs."""
        return child_environment(self.layout)

    def client(self, service: str, region: str | None) -> Any:
        """The client for a service of a region (None: a global service); the same one for the same question.

        Raises RuntimeError once all are closed: nobody would close another.
        """
        address, region = endpoint_for(self.layout, service, region)
        asked = (address, service, region)
        if asked not in self._made:
            with self._building:
                if self._closed:
                    raise RuntimeError(f"a client for {service} is asked for after the run ended")
                if asked not in self._made:
                    client = self._make(address, service, region)
                    self.guard.protect(client)
                    self._made[asked] = client
        return self._made[asked]

    def close(self) -> None:
        """Close the connections of every client and forget them all; may be called twice."""
        with self._building:
            self._closed = True
            made, self._made = self._made, {}
        for client in made.values():
            client.close()
