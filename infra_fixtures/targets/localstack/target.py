"""The localstack target stood up: the embedded world with LocalStack as its AWS API."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager

import msgspec

from infra_fixtures.provision import tear_down
from infra_fixtures.provision.naming import Names
from infra_fixtures.site import Site
from infra_fixtures.targets.asked import Asked
from infra_fixtures.targets.clients import Clients
from infra_fixtures.targets.embedded import FIDELITY, NOT_PROVEN, Variant, embedded
from infra_fixtures.targets.localstack.answers import moto_answers
from infra_fixtures.targets.localstack.endpoints import of_own_sessions
from infra_fixtures.targets.localstack.installation import VERSION, ready_python
from infra_fixtures.targets.localstack.options import Settings
from infra_fixtures.targets.localstack.servers import emulators, offered
from infra_fixtures.targets.world import World
from infra_fixtures.topology import Topology, embedded_topology

ACCOUNT = "000000000000"
"""The account of whoever does not call with twelve digits as access key: LocalStack's own default."""


def stand(asked: Asked) -> AbstractContextManager[World]:
    """A world whose AWS API is LocalStack's; raises UnusableInput where it cannot be started or reached."""
    topology = embedded_topology(asked.pace)
    settings = Settings.read(asked.options, topology.region_names)
    held = frozenset.intersection(*map(offered, settings.urls.values())) if settings.urls else frozenset()
    moto = moto_answers(held, named=not settings.shared and not settings.urls)
    python = None if settings.urls else ready_python(settings.python)

    def arrange(site: Site) -> Site:
        own = msgspec.structs.replace(site, account_id=ACCOUNT, moto_answers=moto)
        return msgspec.structs.replace(own, emulators=emulators(own, settings, python))

    who = _who(moto, shared=settings.shared or len(settings.urls) == 1, own=python is not None)
    return embedded(
        run_id=asked.run_id,
        pace=asked.pace,
        topology=topology,
        journal_dir=asked.journal_dir,
        variant=Variant(
            target="localstack",
            fidelity={
                **FIDELITY,
                "control plane": f"EMULATOR: {who}",
                "lambda": "MODEL: run by the drill's own service",
            },
            not_proven=(f"how AWS itself would answer its API: {who}", *NOT_PROVEN),
            clients=of_own_sessions,
            arrange=arrange,
            around=_around,
        ),
    )


def _who(moto: frozenset[str], *, shared: bool, own: bool) -> str:
    """Who answered what, in a sentence for every report."""
    version = f"LocalStack {VERSION}" if own else "a LocalStack that ran already"
    which = "one for all regions" if shared else "one a region and one for global services"
    return (
        f"{version} ({which}) answered it, moto for {', '.join(sorted(moto))}, and functions were invoked in the drill's "
        "own Lambda service"
    )


@contextlib.contextmanager
def _around(clients: Clients, topology: Topology, run_id: str) -> Iterator[None]:
    """Make what LocalStack needs beyond the topology; from one that outlives the run take all of the run away again."""
    namesake = _namesake(clients, topology, run_id)
    try:
        yield
    finally:
        if any(not emulator.argv for emulator in clients.site.emulators):
            _tear_down(clients, topology, run_id, namesake)


def _namesake(clients: Clients, topology: Topology, run_id: str) -> str | None:
    """Give the primary's LocalStack a namesake of the standby's bucket: it takes no replication to one it does not hold.

    Nobody uses it: the standby's calls go to the standby's own LocalStack. None where both regions have one for both.
    """
    primary, standby = topology.region_names
    if clients.site.answers("s3", primary) == clients.site.answers("s3", standby):
        return None
    s3 = clients.client("s3", primary)
    name = Names(run_id).bucket(standby, ACCOUNT)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": standby})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def _tear_down(clients: Clients, topology: Topology, run_id: str, namesake: str | None) -> None:
    try:
        tear_down(clients, topology, run_id)
        if namesake is not None:
            clients.client("s3", topology.primary.name).delete_bucket(Bucket=namesake)
    except Exception as e:  # the run is over whatever is left; its processes must still be ended
        sys.stderr.write(f"something of run {run_id} is left in the LocalStack that was given: {e}\n")
