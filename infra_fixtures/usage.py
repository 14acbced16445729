"""How a person uses a topology that is held up: lines to paste into a shell.

The secrets that they need are in files that this user alone can read, and on no command line: those every user of the machine
sees in `ps`. The files are the run's temporary ones, which go with it, however it ends.
"""

from __future__ import annotations

import contextlib
import shlex
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable
from urllib.parse import urlsplit

from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.safety.lease import work_prefix
from infra_fixtures.targets.parts import ApiPart, RowsPart, WorkloadPart, part_of
from infra_fixtures.targets.world import DatabaseEndpoint, World
from traffic.template import Template

FOREIGN = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
"""What a person's environment may hold for another account, and would be used instead."""

Keep = Callable[[str, str], Path]
"""Keep a text in a file of that name; where it is."""

RECORD = {"key": 1, "content": 7, "receipt": False}
"""What a person stores to see that it works."""


@runtime_checkable
class HoldsAccessKey(Protocol):
    """A world whose AWS API knows an access key of the run's own."""

    @property
    def access_key(self) -> AccessKey:
        """The key of the harness, and of the person at it."""


@contextlib.contextmanager
def described(world: World) -> Iterator[str]:
    """A working line for each way in that this world has; what they read is there for as long as this lasts."""
    with tempfile.TemporaryDirectory(prefix=f"{work_prefix(world.run_id)}use-", ignore_cleanup_errors=True) as place:

        def keep(name: str, text: str) -> Path:
            path = Path(place, name)
            path.touch(mode=0o600)
            path.write_text(text)
            return path

        lines = ["Use it like this (the run's secrets are in files that only you can read):", ""]
        for title, line in (*_service(world, keep), *_aws_api(world, keep), *_database(world, keep)):
            lines += [f"# {title}", line, ""]
        yield "\n".join(lines)


def _service(world: World, keep: Keep) -> Iterator[tuple[str, str]]:
    contract, entry, region = part_of(world, WorkloadPart).contract, world.entry, world.primary
    url = urlsplit(entry.url)
    there = []
    apis = world.part(ApiPart)
    if entry.dns is not None and apis is not None:
        edge = urlsplit(apis.endpoints[region].url)
        there = ["--resolve", f"{url.hostname}:{url.port}:{edge.hostname}"]
    secret = {**({"x-api-key": entry.api_key} if entry.api_key else {}), **contract.secrets()}
    unseen = (
        ["-H", f"@{keep('headers', _lines(f'{name}: {value}' for name, value in secret.items()))}"] if secret else []
    )
    curl = ["curl", "-sS", "--fail-with-body", "--noproxy", "*", *there]
    for title, request in ((f"store a record in {region}", contract.write), ("read it", contract.read)):
        template = Template(request.path, request.body)
        body = template.body(RECORD)
        form = {} if body is None else {"content-type": "application/json"}
        headers = {**form, **contract.headers, **request.headers}
        words = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
        sent = [] if body is None else ["-d", body.decode()]
        yield (
            title,
            shlex.join([*curl, "-X", request.method, *unseen, *words, *sent, entry.url + template.path(RECORD)]),
        )


def _aws_api(world: World, keep: Keep) -> Iterator[tuple[str, str]]:
    if not isinstance(world, HoldsAccessKey):
        return
    key = world.access_key
    profile = ("[default]", f"aws_access_key_id = {key.id}", f"aws_secret_access_key = {key.secret}")
    own = [
        f"AWS_SHARED_CREDENTIALS_FILE={keep('credentials', _lines(profile))}",
        "AWS_CONFIG_FILE=/dev/null",
        "NO_PROXY=*",
    ]
    without = [word for name in FOREIGN for word in ("-u", name)]
    for region in (world.primary, world.standby):
        there = ["--region", region, "--endpoint-url", str(world.client("lambda", region).meta.endpoint_url)]
        yield f"the AWS API of {region}", shlex.join(["env", *without, *own, "aws", *there, "lambda", "list-functions"])


def _database(world: World, keep: Keep) -> Iterator[tuple[str, str]]:
    rows = part_of(world, WorkloadPart).contract.survivors.rows
    if rows is None or world.part(RowsPart) is not None:
        return
    nodes = {region: world.database(region) for region in (world.primary, world.standby)}
    own = f"PGPASSFILE={keep('pgpass', _lines(map(_pgpass, nodes.values())))}"
    for region, at in nodes.items():
        there = ["-h", at.host, "-p", str(at.port), "-U", at.user, "-d", at.dbname]
        yield f"the database of {region}", shlex.join(["env", "-u", "PGPASSWORD", own, "psql", *there, "-c", rows.sql])


def _pgpass(at: DatabaseEndpoint) -> str:
    """https://www.postgresql.org/docs/current/libpq-pgpass.html"""
    fields = (at.host, str(at.port), at.dbname, at.user, at.password)
    return ":".join(field.replace("\\", "\\\\").replace(":", "\\:") for field in fields)


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
