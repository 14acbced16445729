"""botocore clients for the run's own processes: they reach the AWS API at the internal endpoint."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import botocore.session
from botocore.config import Config

from infra_fixtures import aws_models
from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.global_services import GLOBAL_SERVICES
from infra_fixtures.run_layout import RunLayout

T = TypeVar("T")


_building = threading.Lock()
"""A session builds one client at a time."""


@functools.cache
def _session() -> Any:
    """One session for all clients. botocore's own: boto3 would bring S3's transfer manager, 0.1 s of imports a process."""
    aws_models.read_fast()
    return botocore.session.get_session()


def client(layout: RunLayout, service: str, region: str) -> Any:
    """A botocore client for reconcilers: the internal endpoint, which no region's loss takes away.

    Building one takes up to 60 ms, so they are kept. Their operations block: `call` them.
    """
    with _building:
        return _client(layout.internal.url, layout.credentials.reconciler, service, region)


def client_as(layout: RunLayout, role_arn: str, service: str, region: str, *, url: str | None = None) -> Any:
    """A botocore client that calls as a role, where its region's users call (or at `url`): it goes with the region."""
    key = layout.credentials.of_role(role_arn)
    own = layout.global_aws.url if service in GLOBAL_SERVICES else layout.region(region).aws.url
    with _building:
        return _client(url or own, key, service, region)


@functools.cache
def _client(url: str, key: AccessKey, service: str, region: str) -> Any:
    return _session().create_client(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        aws_session_token=key.token or None,
        config=Config(
            retries={"max_attempts": 1},
            connect_timeout=2,
            read_timeout=10,
            max_pool_connections=20,
            s3={"addressing_style": "path"},
        ),
    )


async def call(function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Run a blocking call (a client's operation) off the event loop."""
    return await asyncio.to_thread(function, *args, **kwargs)
