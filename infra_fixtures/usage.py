"""How a person uses a topology that is held up: lines to paste into a shell. They hold secrets: for a terminal alone."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.targets.parts import ApiPart
from infra_fixtures.targets.world import World

FOREIGN = ("AWS_SESSION_TOKEN", "AWS_PROFILE")
"""What a person's environment may hold for another account, and would be sent along."""


@runtime_checkable
class HoldsAccessKey(Protocol):
    """A world whose AWS API knows an access key of the run's own."""

    @property
    def access_key(self) -> AccessKey:
        """The key of the harness, and of the person at it."""


def describe(world: World) -> str:
    """Credentials and a working line for each way in."""
    lines = ["Use it like this (the lines hold the run's secrets: they are written to no record):", ""]
    for title, line in (*_service(world), *_aws_api(world), *_database(world)):
        lines += [f"# {title}", line, ""]
    return "\n".join(lines)


def _service(world: World) -> Iterator[tuple[str, str]]:
    entry, region = world.entry, world.primary
    url = urlsplit(entry.url)
    there = []
    apis = world.part(ApiPart)
    if entry.dns is not None and apis is not None:
        edge = urlsplit(apis.endpoints[region].url)
        there = ["--resolve", f"{url.hostname}:{url.port}:{edge.hostname}"]
    key = ["-H", f"x-api-key: {entry.api_key}"]
    body = ["-H", "content-type: application/json", "-d", '{"key": 1, "amount": 7}']
    curl = ["curl", "-sS", "--fail-with-body", "--noproxy", "*", *there, *key]
    yield f"store an order in {region}", shlex.join([*curl, *body, f"{entry.url}/orders"])
    yield "read it", shlex.join([*curl, f"{entry.url}/orders/1"])


def _aws_api(world: World) -> Iterator[tuple[str, str]]:
    if not isinstance(world, HoldsAccessKey):
        return
    key = world.access_key
    own = [f"AWS_ACCESS_KEY_ID={key.id}", f"AWS_SECRET_ACCESS_KEY={key.secret}", "NO_PROXY=*"]
    without = [word for name in FOREIGN for word in ("-u", name)]
    for region in (world.primary, world.standby):
        there = ["--region", region, "--endpoint-url", str(world.client("lambda", region).meta.endpoint_url)]
        yield f"the AWS API of {region}", shlex.join(["env", *without, *own, "aws", *there, "lambda", "list-functions"])


def _database(world: World) -> Iterator[tuple[str, str]]:
    for region in (world.primary, world.standby):
        at = world.database(region)
        there = ["-h", at.host, "-p", str(at.port), "-U", at.user, "-d", at.dbname]
        asked = ["-c", "SELECT count(*) FROM orders"]
        yield f"the database of {region}", shlex.join(["env", f"PGPASSWORD={at.password}", "psql", *there, *asked])
