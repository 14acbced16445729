"""One scenario played: a system stands up, is driven and watched, is broken and healed, is judged, is torn down."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from drill.evidence import Judgement
from drill.history import Survivor
from drill.parts import Effect, Observer
from drill.run import Drill
from drill.unusable import UnusableInput
from gameday.day import GameDay
from gameday.measuring import measuring
from gameday.scenario import EVERYONE, Scenario
from infra_fixtures.faults.nothing import Nothing
from infra_fixtures.faults.schedule import Schedule, injected_in_turn, require_all
from infra_fixtures.planning.agreement import agreed, rehearsed
from infra_fixtures.planning.plan import Intent
from infra_fixtures.planning.readiness import require_account, require_system
from infra_fixtures.safety.journal import Header
from infra_fixtures.safety.lease import work_prefix
from infra_fixtures.safety.machine_semaphore import machine_semaphore
from infra_fixtures.safety.stop_conditions import Sight, from_tables
from infra_fixtures.safety.stop_watch import stop_watches
from infra_fixtures.standing import standing
from infra_fixtures.targets import load_limit
from infra_fixtures.targets.parts import LoadLimitPart, RolesStayPart, SharedStorePart, WorkloadPart, part_of
from infra_fixtures.targets.world import World
from probes.all import probes_for
from probes.machinery import refuse_broken
from probes.steady_state import await_steady_state
from probes.survivors import read_survivors
from reports.live import Live
from reports.observers import Several
from reports.pictures import draw
from reports.record import load_run, load_scenario
from traffic.load import Load, Service
from traffic.load_options import LoadOptions
from traffic.runner import LoadGenerator


@dataclass(frozen=True, slots=True)
class Showing:
    """Who is shown a play: `observers` beside the terminal, `describe` before it with the load, `publish` once judged."""

    live: Live
    observers: tuple[Observer, ...] = ()
    describe: Callable[[dict[str, Any]], None] = lambda _load: None
    publish: Callable[[Path], None] = lambda _directory: None


def play(day: GameDay, scenario: Scenario, name: str, showing: Showing, repetition: int = 1) -> Judgement:
    """Play it once on a fresh topology and return its judgement; raises what `Drill.run` raises, where a system cannot
    stand, or may not be touched, GateNotPassed or UnusableInput, once that is recorded, and DryRun where only a plan was
    asked for."""
    intent, directory = _intended(day, scenario, name, repetition), day.run.scenario(name, repetition)
    run = _agreed(day, intent, scenario.faults, directory, repetition, showing.live)
    with _standing(day, name, repetition, showing.live, run.options, scenario.faults.healing_variables) as world:
        faults = scenario.faults.in_world(world)
        require_all(world, faults)
        rehearsed(run, intent, faults, world, directory, showing.live.say)
        require_system(run, world, showing.live.say)
        plan = scenario.plan(world)
        drill, sight = _drill(day, world, scenario, name, repetition, showing)
        conditions = (*world.stop_conditions, *from_tables([*day.options.stop, *scenario.settings.stop]))
        with stop_watches(conditions, sight) as watches:
            drill.probes = [*drill.probes, *watches]
            judgement = drill.run(injected_in_turn(world, faults, drill.mark, drill.ended), plan)
        scenario.check_figures(judgement)
        showing.live.phase("tearing down")
        return judgement


def _intended(day: GameDay, scenario: Scenario, name: str, repetition: int) -> Intent:
    """What the plan of a real account says of it."""
    objectives = day.objectives_of(name).objectives
    return Intent(
        title=name,
        objectives={k: v for k, v in dataclasses.asdict(objectives).items() if v is not None},
        load=_load(day, scenario, name, repetition, load_limit(day.options.target, day.options.of_target)).most_per_s,
        lasts_s=scenario.lasts_s(objectives),
    )


def _agreed(
    day: GameDay, intent: Intent, faults: Schedule | None, directory: Path, repetition: int, live: Live
) -> Header:
    """The run, once what is planned in a real account is agreed to; where it is not, that is the scenario's verdict."""
    known = day.agreed_to.get(intent.title)
    options = {**day.options.of_target, **({"yes": known} if known else {})}
    run = Header(
        day.run.run_id, day.options.target, day.options.pace, options, tempfile.gettempdir(), str(day.run.path)
    )
    try:
        require_account(run, live.say)
        told = agreed(run, intent, faults, directory, live.say, live.aside)
    except UnusableInput as e:
        day.refuse(intent.title, repetition, e)
        raise
    if "yes" in told.options:
        day.agreed_to[intent.title] = str(told.options["yes"])
    return told


def observe(day: GameDay, name: str, for_s: float, enough: threading.Event, showing: Showing) -> Judgement:
    """Drive the system for so long, or until it is enough, break nothing, and judge the outages that came; raises as `play`.

    Its roles are left alone: nothing of it is put back, as nothing was changed. On a real account that is agreed to as well:
    load is sent, and a system may be made for it; how long it takes need not fit a window, whose end ends it.
    """
    scenario = Scenario.of(Nothing(), impact=False)
    intent = msgspec.structs.replace(_intended(day, scenario, name, 1), lasts_s=0.0)
    run = _agreed(day, intent, None, day.run.scenario(name, 1), 1, showing.live)
    with _standing(day, name, 1, showing.live, run.options) as world:
        drill, sight = _drill(day, world, scenario, name, 1, showing)
        drill.enough = enough
        plan = dataclasses.replace(scenario.plan(world), observe_s=for_s)
        with stop_watches((*world.stop_conditions, *from_tables(day.options.stop)), sight) as watches:
            drill.probes = [*drill.probes, *watches]
            return drill.run(contextlib.nullcontext(Effect("nothing", "system", 0, 0)), plan)


@contextlib.contextmanager
def _standing(
    day: GameDay,
    name: str,
    repetition: int,
    live: Live,
    options: Mapping[str, Any],
    healing_variables: Collection[str] = (),
) -> Iterator[World]:
    """A steady system; where none stands, that is recorded as the scenario's verdict."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(machine_semaphore(lambda: live.phase("waiting for another drill on this machine")))
            live.phase("standing up")
            world = stack.enter_context(
                standing(
                    day.options.target,
                    pace=day.options.pace,
                    runs_dir=day.options.runs_dir,
                    run_id=day.run.run_id,
                    options=options,
                    healing_variables=healing_variables,
                )
            )
            day.describe(world)
            await_steady_state(world)
        except BaseException as e:
            day.refuse(name, repetition, e)
            raise
        yield world


def _drill(
    day: GameDay, world: World, scenario: Scenario, name: str, repetition: int, showing: Showing
) -> tuple[Drill, Sight]:
    """The drill of this scenario: traffic through Route 53, every probe, records in the run's directory; and what stop
    conditions look at."""
    directory = day.run.scenario(name, repetition)
    t0_ns = time.monotonic_ns()
    load = _load(day, scenario, name, repetition, world.part(LoadLimitPart))
    showing.describe(dataclasses.asdict(load))
    traffic = _traffic(day, world, load, directory, t0_ns, showing.live)
    objectives = day.objectives_of(name)
    objectives.write(directory)

    def healthy_again() -> None:
        refuse_broken(world)
        with world.healing():
            world.return_to_primary()
        await_steady_state(world, roles=world.part(RolesStayPart) is None)

    def publish(_judgement: Judgement) -> None:
        draw(load_scenario(directory), load_run(day.run.path))
        showing.publish(directory)

    drill = Drill(
        scenario=name,
        directory=directory,
        t0_ns=t0_ns,
        objectives=objectives.objectives,
        traffic=traffic,
        probes=measuring(world, probes_for(world, lambda: {"harness": [os.getpid()], "locust": traffic.pids})),
        read_survivors=lambda region: _own(world, load, traffic, read_survivors(world, region, t0_ns)),
        healthy_again=healthy_again,
        primary_region=world.primary,
        observer=Several(showing.live, *showing.observers),
        publish=publish,
        context=day.context(repetition, objectives),
    )
    return drill, Sight(world.client, traffic.ops, drill.samples, t0_ns)


def _own(world: World, load: Load, traffic: LoadGenerator, survivors: Iterable[Survivor]) -> Iterable[Survivor]:
    """What survived of this drill's records, where others keep records of theirs in the same place."""
    if world.part(SharedStorePart) is None:
        return survivors
    sent = traffic.ops()["key"].max()
    keys = range(load.first_key, max(load.own_keys.stop, sent + 1 if isinstance(sent, int) else 0))
    return (one for one in survivors if one.key in keys)


def _load(day: GameDay, scenario: Scenario, name: str, repetition: int, limit: LoadLimitPart | None) -> Load:
    """What the scenario and the command line say, and never more than the system may be asked.

    Where a system outlives the scenario no other one of the day may use the same keys.
    """
    load = Load(cohorts=scenario.settings.cohorts or EVERYONE, seed=day.seed + repetition - 1)
    if limit is None:
        return day.options.load.applied(load)
    load = dataclasses.replace(load, seed=load.seed + zlib.crc32(name.encode()))
    load = day.options.load.applied(LoadOptions(rate=limit.rate).applied(load))
    load = LoadOptions(max_rate=limit.rate_cap).applied(load)
    if not limit.read_keys:
        return load
    return dataclasses.replace(load, read_keys=limit.read_keys, reads_per_s=load.orders_per_s + load.reads_per_s)


def _traffic(day: GameDay, world: World, load: Load, directory: Path, t0_ns: int, live: Live) -> LoadGenerator:
    entry, distribution = world.entry, day.options.distribution
    dns_host, dns_port = entry.dns or ("", 53)
    contract = part_of(world, WorkloadPart).contract
    return LoadGenerator(
        load,
        Service(
            base_url=entry.url,
            api_key=entry.api_key,
            dns_host=dns_host,
            dns_port=dns_port,
            headers=contract.secrets(),
            regions=entry.regions,
        ),
        contract=contract,
        t0_ns=t0_ns,
        directory=directory,
        environment=world.environment,
        workers=distribution.workers,
        workers_elsewhere=distribution.elsewhere,
        meeting=distribution.meeting,
        announce=lambda command: live.say(f"start {distribution.elsewhere} on other machines:\n{command}"),
        private_prefix=f"{work_prefix(day.run.run_id)}traffic-",
    )
