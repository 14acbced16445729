"""The attach target: reads the description, takes the system's lock, and stands up nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from drill.unusable import UnusableInput
from infra_fixtures.safety.bounded_command import HOME
from infra_fixtures.safety.journal import Header
from infra_fixtures.safety.stop_conditions import Condition
from infra_fixtures.targets.attach.description import Description
from infra_fixtures.targets.attach.machine_lock import held_here
from infra_fixtures.targets.attach.options import ENVIRONMENT, SYSTEM, TOPOLOGY
from infra_fixtures.targets.attach.orphan import AttachOrphan
from infra_fixtures.targets.attach.world import Attached
from infra_fixtures.targets.orphan import Orphan
from infra_fixtures.targets.target_config import TargetConfig
from infra_fixtures.targets.world import World
from traffic.contract import Contract
from traffic.contract_file import read_contract


def described(options: Mapping[str, object]) -> tuple[Description, Contract, Path]:
    """The description, the application's contract, and the directory of the first; raises UnusableInput."""
    path = Path(_topology(options))
    found = Description.read(path)
    contract = read_contract(path.parent / found.workload)
    if contract.survivors.objects is not None:
        raise UnusableInput(
            f"{found.workload}: survivors.objects needs buckets, and this topology has none: leave it away"
        )
    lacking = [s.name for s in found.sites if s.database is None] if contract.survivors.rows is not None else []
    if lacking:
        raise UnusableInput(
            f"{path}: {found.workload} reads survivors.rows, and the site {lacking[0]} has no table database: add it"
        )
    contract.secrets()
    return found, contract, path.parent


def pinned(options: Mapping[str, object]) -> dict[str, object]:
    """What is journalled of the options: enough to heal by, from any directory and whatever becomes of the file."""
    path = Path(_topology(options)).absolute()
    found = Description.read(path)
    return {TOPOLOGY: str(path), SYSTEM: found.service.url, ENVIRONMENT: list(found.environment)}


@contextlib.contextmanager
def held(run: Header, is_over: Callable[[], bool]) -> Iterator[tuple[Condition, ...]]:
    """Hold the system, so that two game days never overlap; raises UnusableInput where another holds it."""
    described(run.options)
    with held_here(str(run.options[SYSTEM]), run.run_id, is_over):
        yield ()


@contextlib.contextmanager
def stand(config: TargetConfig) -> Iterator[World]:
    """The system as it is described; nothing is stood up."""
    found, contract, beside = described(config.run.options)
    yield Attached(config, found, contract, beside)


def orphan(run: Header) -> Orphan:
    """What is left of a dead run: the faults in its journal."""
    return AttachOrphan(run)


def healing_environment(run: Header) -> dict[str, str]:
    """The variables that the description gives to commands: the watchdog must have them too."""
    names = (HOME, *(run.options.get(ENVIRONMENT) or ()))
    return {str(name): os.environ[str(name)] for name in names if str(name) in os.environ}


def _topology(options: Mapping[str, object]) -> str:
    path = options.get(TOPOLOGY)
    if not path:
        raise UnusableInput(
            "--target attach needs --topology FILE.toml, the description of the system (docs/attach.md)"
        )
    return str(path)
