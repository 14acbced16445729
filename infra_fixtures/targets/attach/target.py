"""The attach target: reads the description, takes the system's lock, and stands up nothing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from infra_fixtures.safety.bounded_command import HOME
from infra_fixtures.safety.journal import Header
from infra_fixtures.safety.stop_conditions import Condition
from infra_fixtures.targets.attach.given import beside, contract_of, described
from infra_fixtures.targets.attach.machine_lock import held_here
from infra_fixtures.targets.attach.orphan import AttachOrphan
from infra_fixtures.targets.attach.world import Attached, load_limit_of
from infra_fixtures.targets.orphan import Orphan
from infra_fixtures.targets.parts import LoadLimitPart
from infra_fixtures.targets.target_config import TargetConfig
from infra_fixtures.targets.world import World


@contextlib.contextmanager
def held(run: Header, is_over: Callable[[], bool]) -> Iterator[tuple[Condition, ...]]:
    """Hold the system, so that two game days never overlap; raises UnusableInput where another holds it."""
    contract_of(run.options)
    with held_here(described(run.options).service.url, run.run_id, is_over):
        yield ()


@contextlib.contextmanager
def stand(config: TargetConfig) -> Iterator[World]:
    """The system as it is described; nothing is stood up."""
    options = config.run.options
    yield Attached(config, described(options), contract_of(options), beside(options))


def orphan(run: Header) -> Orphan:
    """What is left of a dead run: the faults in its journal."""
    return AttachOrphan(run)


def guarded(_options: Mapping[str, Any]) -> bool:
    """No AWS account is touched: its owner's commands are what the description says."""
    return False


def load_limit(options: Mapping[str, Any]) -> LoadLimitPart:
    """How much the system may be asked."""
    return load_limit_of(described(options))


def healing_environment(run: Header) -> dict[str, str]:
    """The variables that the description gives to commands: the watchdog must have them too."""
    names = (HOME, *described(run.options).environment)
    return {name: os.environ[name] for name in names if name in os.environ}
