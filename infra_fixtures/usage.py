"""How a person uses a topology that is held up: lines to paste into a shell. They hold secrets: for a terminal alone."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.targets.parts import ApiPart, WorkloadPart, part_of
from infra_fixtures.targets.world import World
from traffic.template import Template

FOREIGN = ("AWS_SESSION_TOKEN", "AWS_PROFILE")
"""What a person's environment may hold for another account, and would be sent along."""

RECORD = {"key": 1, "content": 7, "receipt": False}
"""What a person stores to see that it works."""


@runtime_checkable
class HoldsAccessKey(Protocol):
    """A world whose AWS API knows an access key of the run's own."""

    @property
    def access_key(self) -> AccessKey:
        """The key of the harness, and of the person at it."""


def describe(world: World) -> str:
    """Credentials and a working line for each way in that this world has."""
    lines = ["Use it like this (the lines hold the run's secrets: they are written to no record):", ""]
    for title, line in (*_service(world), *_aws_api(world), *_database(world)):
        lines += [f"# {title}", line, ""]
    return "\n".join(lines)


def _service(world: World) -> Iterator[tuple[str, str]]:
    contract, entry, region = part_of(world, WorkloadPart).contract, world.entry, world.primary
    url = urlsplit(entry.url)
    there = []
    apis = world.part(ApiPart)
    if entry.dns is not None and apis is not None:
        edge = urlsplit(apis.endpoints[region].url)
        there = ["--resolve", f"{url.hostname}:{url.port}:{edge.hostname}"]
    key = {"x-api-key": entry.api_key} if entry.api_key else {}
    curl = ["curl", "-sS", "--fail-with-body", "--noproxy", "*", *there]
    for title, request in ((f"store a record in {region}", contract.write), ("read it", contract.read)):
        template = Template(request.path, request.body)
        body = template.body(RECORD)
        form = {} if body is None else {"content-type": "application/json"}
        headers = {**form, **key, **contract.headers, **contract.secrets(), **request.headers}
        words = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
        sent = [] if body is None else ["-d", body.decode()]
        yield title, shlex.join([*curl, "-X", request.method, *words, *sent, entry.url + template.path(RECORD)])


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
    rows = part_of(world, WorkloadPart).contract.survivors.rows
    if rows is None:
        return
    for region in (world.primary, world.standby):
        at = world.database(region)
        there = ["-h", at.host, "-p", str(at.port), "-U", at.user, "-d", at.dbname]
        yield (
            f"the database of {region}",
            shlex.join(["env", f"PGPASSWORD={at.password}", "psql", *there, "-c", rows.sql]),
        )
