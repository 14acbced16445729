"""Where a topology can live: each target gives clients, endpoints, powers and fidelity.

A target is a row of TARGETS and a module with `held(header, is_over) -> context manager of stop conditions`, entered before
anything is made and left when all is gone, `stand(config) -> context manager of a World` and `orphan(header) -> Orphan`;
nothing outside this package knows one by name.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drill.unusable import UnusableInput
from infra_fixtures.safety.journal import Header
from infra_fixtures.targets.attach.options import OPTIONS as ATTACH_OPTIONS
from infra_fixtures.targets.aws.options import OPTIONS as AWS_OPTIONS
from infra_fixtures.targets.guard_options import GUARD_OPTIONS
from infra_fixtures.targets.localstack.options import OPTIONS as LOCALSTACK_OPTIONS
from infra_fixtures.targets.orphan import Orphan
from infra_fixtures.targets.parts import LoadLimitPart
from infra_fixtures.targets.target_config import Option


@dataclass(frozen=True, slots=True)
class Target:
    """The module that stands it up (imported when it is asked for), and the options that only it knows.

    `pace`: the only one that it has, whatever is asked for; None: any.
    """

    module: str
    options: tuple[Option, ...] = ()
    pace: float | None = None


TARGETS: Mapping[str, Target] = {
    "embedded": Target("infra_fixtures.targets.embedded"),
    "aws": Target("infra_fixtures.targets.aws.target", AWS_OPTIONS),
    "localstack": Target("infra_fixtures.targets.localstack.target", LOCALSTACK_OPTIONS),
    "attach": Target("infra_fixtures.targets.attach.target", ATTACH_OPTIONS, pace=1.0),
}


def add_options(add: Callable[..., Any]) -> None:
    """Add every target's own options with argparse's `add_argument` or pytest's `addoption`; several may share one."""
    for option in dict.fromkeys(option for target in TARGETS.values() for option in target.options):
        add(option.flag, **option.arguments)


def read_options(target: str, get: Callable[[str], Any]) -> dict[str, Any]:
    """A target's own options by name; `get` reads one from what was parsed, and the environment gives what was left out.

    Whoever heals the run is told these, and not what the environment says then.
    """
    return {option.name: option.or_from(os.environ, get(option.name)) for option in TARGETS[target].options}


def pace_of(target: str, asked: float) -> float:
    """The pace that it runs at: its own where it has but one."""
    own = TARGETS[target].pace
    return asked if own is None else own


def healing_environment(header: Header) -> dict[str, str]:
    """The variables of this process that the target's undo needs in another: names stand in the options, never values."""
    named: Callable[[Header], dict[str, str]] | None = getattr(module_of(header.target), "healing_environment", None)
    return {} if named is None else named(header)


def is_guarded(target: str, options: Mapping[str, Any]) -> bool:
    """Whether it touches a real account, with these options: it asks for a game day file and an agreement then."""
    if not set(GUARD_OPTIONS) <= set(TARGETS[target].options):
        return False
    guarded: Callable[[Mapping[str, Any]], bool] = getattr(module_of(target), "guarded", lambda _: True)
    return guarded(options)


def load_limit(target: str, options: Mapping[str, Any]) -> LoadLimitPart | None:
    """How much its system may be asked, where that is known before it stands."""
    limit: Callable[[Mapping[str, Any]], LoadLimitPart] | None = getattr(module_of(target), "load_limit", None)
    return None if limit is None else limit(options)


def module_of(target: str) -> Any:
    """The target's module."""
    return importlib.import_module(TARGETS[target].module)


def orphan_of(header: Header) -> Orphan:
    """What is left of a run whose harness is gone, by the header of its journal."""
    if header.target not in TARGETS:
        raise UnusableInput(
            f"the target {header.target} is unknown to this version of the harness: heal with the one that ran"
        )
    orphan: Orphan = module_of(header.target).orphan(header)
    return orphan
