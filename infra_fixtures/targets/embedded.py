"""The embedded target: everything on this machine, moto as the AWS API, real processes as the data plane."""

from __future__ import annotations

import contextlib
import gc
import os
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from drill.host_environment import keep_to_this_machine
from drill.unusable import UnusableInput
from infra_fixtures.data_plane.aurora.binaries import locate
from infra_fixtures.gate import EVERYWHERE, GateNotPassed, gate
from infra_fixtures.provision import make_clients, provision, take_first_steps
from infra_fixtures.run_layout import RunLayout
from infra_fixtures.safety.journal import Header
from infra_fixtures.safety.lease import lease, require_free
from infra_fixtures.safety.stop_conditions import Condition
from infra_fixtures.targets.change_feed import ChangeFeed
from infra_fixtures.targets.clients import Clients
from infra_fixtures.targets.embedded_world import Embedded, Variant
from infra_fixtures.targets.local_orphan import LocalOrphan
from infra_fixtures.targets.machinery import LocalMachinery
from infra_fixtures.targets.orphan import Orphan
from infra_fixtures.targets.own_processes import (
    Started,
    answers,
    await_control_plane,
    await_data_plane,
    require_alive,
    start,
    stop,
)
from infra_fixtures.targets.target_config import TargetConfig
from infra_fixtures.targets.world import Endpoint, World
from infra_fixtures.topology import Topology, embedded_topology


def stand(config: TargetConfig) -> AbstractContextManager[World]:
    """The embedded target of a run."""
    keep_to_this_machine(os.environ)
    return embedded(config, embedded_topology(config.run.pace))


def held(run: Header, is_over: Callable[[], bool]) -> AbstractContextManager[tuple[Condition, ...]]:
    """Nothing: what is made is nobody else's."""
    return contextlib.nullcontext(())


def orphan(run: Header) -> Orphan:
    """What is left of an embedded run."""
    return LocalOrphan(run)


@contextlib.contextmanager
def embedded(config: TargetConfig, topology: Topology, variant: Variant | None = None) -> Iterator[Embedded]:
    """Stand the whole system up on this machine; at the end its processes are stopped (`orphan` finds any rest).

    Raises UnusableInput where the machine cannot carry it (no PostgreSQL, a port in use), in one sentence.
    """
    variant = variant or Variant()
    run_id, pace, journal = config.run.run_id, config.run.pace, config.journal
    with lease(run_id) as leased:
        pg_bin, pg_uid = locate(leased.work_dir, leased.worker_uid)
        layout = RunLayout.plan(
            run_id=run_id,
            work_dir=leased.work_dir,
            pace=pace,
            network=leased.network,
            regions=topology.region_names,
            pg_bin=str(pg_bin),
            pg_uid=pg_uid,
            worker_uid=leased.worker_uid,
        )
        require_free(layout.addresses)
        layout = variant.arrange(layout)
        layout.save()
        processes: list[Started] = []
        changes = ChangeFeed(layout)
        clients = Clients(layout, variant.clients)
        try:
            processes.append(start(layout, "control plane", "infra_fixtures.control_plane"))
            processes.append(start(layout, "global process", "infra_fixtures.data_plane"))
            machinery = LocalMachinery(layout, [*processes, Started("watchdog", config.watchdog)])
            with _garbage_collection_off():
                make_clients(clients, topology)
                await_control_plane(layout, processes)
            changes.start()

            def alive() -> None:
                require_alive(processes)
                _refuse_ended_processes(machinery)

            with contextlib.ExitStack() as parts:
                with _garbage_collection_off(), _naming_ended_processes(machinery):
                    parts.enter_context(variant.around(clients, topology, run_id))
                    with gate(EVERYWHERE, "provisioning"):
                        deployed = provision(
                            clients,
                            topology,
                            run_id,
                            is_final=lambda host: host.startswith(f"{leased.network}."),
                            edges={r.name: str(r.edge) for r in layout.regions},
                        )
                    world = Embedded(layout, journal, deployed, changes, machinery, clients, variant)
                    healthy = _healthy(world.regional(world.primary), topology.health_check.path)
                    take_first_steps(clients, deployed, healthy, lambda: await_data_plane(layout, alive))
                yield world
        finally:
            changes.stop()
            stop(processes)
            clients.close()


@contextlib.contextmanager
def _garbage_collection_off() -> Iterator[None]:
    """Leave garbage while standing up: looking for it among all that boto3 makes takes a sixth of this process's own time."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


@contextlib.contextmanager
def _naming_ended_processes(machinery: LocalMachinery) -> Iterator[None]:
    """Where standing up fails because a process of the run died, say so instead of what came of it."""
    try:
        yield
    except UnusableInput:
        raise
    except Exception as e:
        _refuse_ended_processes(machinery, e)
        raise


def _refuse_ended_processes(machinery: LocalMachinery, cause: Exception | None = None) -> None:
    """Raise GateNotPassed where a process of the run died."""
    for death in machinery.deaths():
        region, of_region, _ = death.process.partition("/")
        raise GateNotPassed(region if of_region else EVERYWHERE, f"{death.process} died: {death.how}") from cause


def _healthy(at: Endpoint, path: str) -> Callable[[], bool]:
    """Whether a region answers its health check."""
    question = urllib.request.Request(at.url + path, headers=dict(at.headers))
    return lambda: answers(question)
