"""The aws target stood up: an account is asked, a system is made in it or gone on with, and drilled."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from drill.unusable import UnusableInput
from drill.wait import wait_until
from infra_fixtures.gate import EVERYWHERE, gate
from infra_fixtures.provision import provision, take_first_steps
from infra_fixtures.safety.caller import Asking, caller_of
from infra_fixtures.safety.journal import Header
from infra_fixtures.safety.stop_conditions import Condition
from infra_fixtures.targets.aws import orphan as orphans
from infra_fixtures.targets.aws.account import Account, Owned, look
from infra_fixtures.targets.aws.feasible import Feasible, feasible
from infra_fixtures.targets.aws.ledger import Ledger, read
from infra_fixtures.targets.aws.options import REGIONS, Settings
from infra_fixtures.targets.aws.prices import estimate
from infra_fixtures.targets.aws.progress import Progress
from infra_fixtures.targets.aws.sessions import base_session, duty
from infra_fixtures.targets.aws.system import edges_of, is_final
from infra_fixtures.targets.aws.world import HEALED_BEFORE_S, Aws
from infra_fixtures.targets.emulated_account import emulated_account
from infra_fixtures.targets.holders import Holders
from infra_fixtures.targets.orphan import Orphan
from infra_fixtures.targets.own_processes import answers
from infra_fixtures.targets.permission import Outline, Permission, file_of, permission
from infra_fixtures.targets.target_config import TargetConfig
from infra_fixtures.targets.world import Endpoint, World

STAND_UP_S, TAKE_DOWN_S = 2400.0, 2400.0
"""What AWS takes: Aurora's two clusters some 20 minutes, certificates and the first functions in a VPC the rest; and for
removal, until Lambda has given its network interfaces back
(https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html)."""
EMULATED_S = 60.0
SERVES_WITHIN_S = 600.0
LOOK_EVERY_S = 5.0
HEALTH = "/health"


def permitted(run: Header, lasts_s: float = 0.0) -> Permission:
    """What the run may do; raises UnusableInput."""
    settings = _settings(run)
    session = base_session(settings)
    caller_of(
        Asking(session, settings.endpoints), REGIONS[1]
    )  # credentials that are none are refused before they are used
    system, ledger = look(run, settings)
    owned = Owned(system, ledger)
    found = permission(run, session, settings.endpoints, lasts_s=lasts_s, owned=owned)
    return dataclasses.replace(found, objections=(*found.objections, *session_objections(settings, lasts_s)))


def session_objections(settings: Settings, lasts_s: float) -> Iterator[str]:
    """The sessions of roles last until everything is healed."""
    session_s = settings.hours * 3600 - HEALED_BEFORE_S
    if settings.roles and session_s < lasts_s:
        yield (
            f"the sessions of the roles last {settings.hours:g} h, the last {HEALED_BEFORE_S:.0f} s of it for healing, and the "
            f"drill is estimated to take {lasts_s:.0f} s: give more --aws-hours, or let the system stay (--aws-deployment)"
        )


def outline(run: Header) -> Outline:
    """What is made, what it costs and how long that takes, and what is in the way of it."""
    settings = _settings(run)
    system, ledger = look(run, settings)
    asking = duty(settings, "observer", run.run_id, lambda client: None)
    made = len(read(ledger.path))
    try:
        carried = Feasible((), ()) if made else feasible(asking.client, system.topology)
        price = estimate(system.topology, asking.client if settings.emulator is None else None)
    finally:
        asking.close()
    kept = (
        f"the system {system.names.run_id}, which stays until `down --aws-deployment {settings.deployment}` removes it"
        if system.stays
        else "a system of the run's own, which goes with it"
    )
    makes = (
        f"{kept}; {made} resources of it are in its ledger already" if made else kept,
        f"in {' and '.join(REGIONS)}: a VPC with private subnets, an Aurora global database, functions, a regional API named "
        f"{system.topology.api_name}, buckets with replication, keys, alarms; in Route 53: records and health checks",
        f"everything is named {system.names.prefix}... and tagged so, and stands in {ledger.path}",
        *(f"in the way: {sentence}" for sentence in carried.objections),
        *carried.unknown,
    )
    lasts_s = EMULATED_S if settings.emulator is not None else STAND_UP_S + (0.0 if system.stays else TAKE_DOWN_S)
    return Outline(makes=makes, price=price.sentence(max(1.0, settings.hours)), stand_up_s=lasts_s)


def holders(run: Header) -> Holders:
    """Who acts in the account, and on which names."""
    settings = _settings(run)
    system, _ = look(run, settings)
    asking = duty(settings, "observer", run.run_id, lambda client: None)
    name, account = f"{system.names.prefix}*", permitted(run).caller.account
    return Holders(asking.client, settings.roles, name, account, REGIONS, asking.close)


@contextlib.contextmanager
def emulated(run: Header) -> Iterator[tuple[Header, dict[str, str]] | None]:
    """The run as it would be in an emulated account, and the environment of a process that uses it: there its faults are
    rehearsed while nothing stands. None where an emulator is all that is drilled, unless a plan is all that is asked for."""
    if _settings(run).emulator is not None and not run.options.get("dry_run"):
        yield None
        return
    with emulated_account() as account:
        text = file_of(run).elsewhere(account.account_id, dt.datetime.now(dt.UTC))
        options = {
            **{name: value for name, value in run.options.items() if not name.startswith("aws_")},
            "aws_endpoint": [f"{where}={url}" for where, url in account.endpoints.items()],
            "aws_name_server": account.name_server,
            "gameday": {"path": "the game day file", "text": text},
            "yes": account.account_id,
            "dry_run": False,
        }
        yield msgspec.structs.replace(run, pace=account.layout.pace, options=options), account.environment()


@contextlib.contextmanager
def held(run: Header, is_over: Callable[[], bool]) -> Iterator[tuple[Condition, ...]]:
    """Hold the account, in the standby's region; raises UnusableInput where it may not be drilled now, or somebody has it."""
    with permitted(run).lock(REGIONS[1], is_over) as conditions:
        yield conditions


@contextlib.contextmanager
def stand(config: TargetConfig) -> Iterator[World]:
    """The system, made, or what is missing of it; raises UnusableInput, GateNotPassed, WaitTimeout."""
    run, settings = config.run, _settings(config.run)
    allowed = permitted(run)
    system, ledger = look(run, settings)
    progress = Progress(_tell)
    ledger = Ledger(ledger.path, progress.made)
    account = Account(run, settings, system, allowed.guard, allowed.log, ledger)
    edges = edges_of(settings)
    begun = bool(read(ledger.path))
    tag = allowed.file.tag
    try:
        with progress.shown(), allowed.guard.making():
            if not begun:
                feasible(account.client, system.topology).require()
            with gate(EVERYWHERE, "provisioning"):
                deployed = provision(
                    account.provisioner,
                    system.topology,
                    system.names.run_id,
                    edges=edges,
                    is_final=lambda endpoint: is_final(settings, endpoint),
                    zone_id=settings.zone_id,
                    certificates=True,
                    readers=True,
                    look_every_s=LOOK_EVERY_S if settings.emulator is None else 0.2,
                    tags={tag.key: tag.value},
                    steps=progress.step,
                )
            world = Aws(account, deployed, config.journal, edges, config.stop_conditions)
            with progress.step("first steps"):
                healthy = _answers(world.regional(world.primary), system.topology.health_check.path)
                take_first_steps(account.provisioner, deployed, healthy, lambda: _await_serving(world))
        yield world
        if system.stays:
            _tell(f"{system.names.run_id} stays, and costs: `down --aws-deployment {system.names.run_id}` removes it")
    finally:
        account.close()


def orphan(run: Header) -> Orphan:
    """What is left of a run."""
    return orphans.AwsOrphan(run)


def healing_environment(run: Header) -> dict[str, str]:
    """How whoever heals finds the credentials: as this process does."""
    return orphans.healing_environment(os.environ, str(Path.home()))


def take_down(run: Header, agree: Callable[[], Mapping[str, Any]]) -> str | None:
    """Remove a system that stays, and say so; None where the options name none.

    Nobody else drills the account meanwhile. `agree` has a person agree, and gives the options with the agreement in them.
    Raises UnusableInput, or NotGone naming what is left.
    """
    settings = Settings.read(run.options) if run.options.get("aws_deployment") else None
    if settings is None:
        return None
    run = msgspec.structs.replace(run, options=dict(agree()))
    Path(run.records).mkdir(parents=True, exist_ok=True)
    gone = False
    with permitted(run).lock(REGIONS[1], lambda: gone):
        account = orphans.healing_account(run, settings)
        try:
            made = orphans.remove_system(account, _tell)
            account.system.ledger.unlink(missing_ok=True)
        finally:
            account.close()
            gone = True
    return f"{settings.deployment} is gone: {made} entries of its ledger, and nothing of it was found in any service"


def _settings(run: Header) -> Settings:
    settings = Settings.read(run.options)
    if settings.emulator is None and run.pace != 1.0:
        raise UnusableInput(f"--pace {run.pace:g} is not to be had on AWS, whose timers run as they do: give --pace 1")
    return settings


def _await_serving(world: Aws) -> None:
    """Both regions' APIs answer: a new one is not known everywhere at once."""
    for region in REGIONS:
        with gate(region, "its API"):
            wait_until(
                _answers(world.regional(region), HEALTH), what=f"the API of {region} to answer",
                timeout_s=SERVES_WITHIN_S, every_s=0.2,
            )  # fmt: skip


def _answers(at: Endpoint, path: str) -> Callable[[], bool]:
    question = urllib.request.Request(at.url + path, headers=dict(at.headers))
    return lambda: answers(question)


def _tell(what: str) -> None:
    sys.stderr.write(f"{what}\n")
