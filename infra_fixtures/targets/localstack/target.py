"""The localstack target stood up: the embedded world with LocalStack as its AWS API."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import msgspec

from drill.host_environment import keep_to_this_machine
from infra_fixtures.run_layout import RunLayout
from infra_fixtures.safety.journal import Header
from infra_fixtures.safety.stop_conditions import Condition
from infra_fixtures.safety.target_lock import target_lock
from infra_fixtures.targets.clients import Clients
from infra_fixtures.targets.embedded import embedded
from infra_fixtures.targets.embedded_world import FIDELITY, NOT_PROVEN, Variant, outlook_on_this_machine
from infra_fixtures.targets.local_orphan import LocalOrphan
from infra_fixtures.targets.localstack.endpoints import of_own_sessions
from infra_fixtures.targets.localstack.installation import VERSION, ready_python
from infra_fixtures.targets.localstack.options import Settings
from infra_fixtures.targets.localstack.orphan import ACCOUNT, LocalStackOrphan, answered_by_moto, lock_place, namesake
from infra_fixtures.targets.localstack.servers import emulators, offered
from infra_fixtures.targets.orphan import Orphan
from infra_fixtures.targets.outlook import Outlook
from infra_fixtures.targets.target_config import TargetConfig
from infra_fixtures.targets.world import World
from infra_fixtures.topology import Topology, embedded_topology

START_IT = "start it, or leave --localstack-endpoint away and one is started"


def stand(config: TargetConfig) -> AbstractContextManager[World]:
    """A world whose AWS API is LocalStack's; raises UnusableInput where it cannot be started or reached."""
    keep_to_this_machine(os.environ)
    topology = embedded_topology(config.run.pace)
    settings = Settings.read(config.run.options, topology.region_names)
    moto = answered_by_moto(settings, START_IT)
    python = None if settings.urls else ready_python(settings.python)

    def arrange(layout: RunLayout) -> RunLayout:
        own = msgspec.structs.replace(layout, account_id=ACCOUNT, moto_services=moto)
        return msgspec.structs.replace(own, emulators=emulators(own, settings, python))

    who = _who(moto, shared=settings.shared or len(settings.urls) == 1, own=python is not None)
    variant = Variant(
        target="localstack",
        fidelity={
            **FIDELITY,
            "control plane": f"EMULATOR: {who}",
            "lambda": "MODEL: run by the drill's own service",
        },
        not_proven=(f"how AWS itself would answer its API: {who}", *NOT_PROVEN),
        clients=of_own_sessions,
        arrange=arrange,
        around=_namesake,
        stop_conditions=config.stop_conditions,
    )
    return embedded(config, topology, variant)


def outlook(run: Header) -> Outlook:
    """What its worlds will have: LocalStack is not asked."""
    return outlook_on_this_machine(run.target, embedded_topology(run.pace))


@contextlib.contextmanager
def held(run: Header, is_over: Callable[[], bool]) -> Iterator[tuple[Condition, ...]]:
    """Hold the LocalStack that was given, so that no second game day breaks it meanwhile; one of our own is nobody else's.

    Raises UnusableInput where somebody else holds it, or it does not answer.
    """
    keep_to_this_machine(os.environ)
    topology = embedded_topology(run.pace)
    settings = Settings.read(run.options, topology.region_names)
    if not settings.urls:
        yield ()
        return
    for url in settings.urls.values():
        offered(url, START_IT)
    with target_lock(lock_place(topology, settings.urls), run.run_id, is_over=is_over) as lock:
        yield (lock,)


def orphan(run: Header) -> Orphan:
    """What is left of a run: its processes, and what it made in a LocalStack that was given."""
    keep_to_this_machine(os.environ)
    topology = embedded_topology(run.pace)
    settings = Settings.read(run.options, topology.region_names)
    return LocalStackOrphan(run, topology, settings) if settings.urls else LocalOrphan(run)


def _who(moto: frozenset[str], *, shared: bool, own: bool) -> str:
    """Who answered what, in a sentence for every report."""
    version = f"LocalStack {VERSION}" if own else "a LocalStack that ran already"
    which = "one for all regions" if shared else "one a region and one for global services"
    return (
        f"{version} ({which}) answered it, moto for {', '.join(sorted(moto))}, and functions were invoked in the drill's "
        "own Lambda service"
    )


@contextlib.contextmanager
def _namesake(clients: Clients, topology: Topology, run_id: str) -> Iterator[None]:
    """Give the primary's LocalStack a namesake of the standby's bucket: it takes no replication to one it does not hold.

    Nobody uses it: the standby's calls go to the standby's own LocalStack. Where one answers both regions none is needed.
    """
    primary, standby = topology.region_names
    if clients.layout.emulator_for("s3", primary) != clients.layout.emulator_for("s3", standby):
        s3 = clients.client("s3", primary)
        name = namesake(run_id, standby)
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": standby})
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    yield
