"""Where a topology can live: each target gives clients, endpoints, capabilities and fidelity.

A target is a row of TARGETS and a module with `stand(asked) -> context manager of a World`; nothing outside this package
knows one by name.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra_fixtures.targets.asked import Asked, Option
from infra_fixtures.targets.localstack.options import OPTIONS as LOCALSTACK_OPTIONS
from infra_fixtures.targets.world import World

RUN_ID_FORMAT = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Target:
    """The module that stands it up (imported when it is asked for), and the options that only it knows."""

    module: str
    options: tuple[Option, ...] = ()


TARGETS: Mapping[str, Target] = {
    "embedded": Target("infra_fixtures.targets.embedded"),
    "localstack": Target("infra_fixtures.targets.localstack.target", LOCALSTACK_OPTIONS),
}


def add_options(add: Callable[..., Any]) -> None:
    """Add every target's own options with argparse's `add_argument` or pytest's `addoption`."""
    for target in TARGETS.values():
        for option in target.options:
            add(option.flag, **option.arguments)


def read_options(target: str, get: Callable[[str], Any]) -> dict[str, Any]:
    """A target's own options by name; `get` reads one from what was parsed."""
    return {option.name: get(option.name) for option in TARGETS[target].options}


@contextlib.contextmanager
def standing(
    target: str, *, pace: float, runs_dir: Path, run_id: str | None = None, options: Mapping[str, Any] | None = None
) -> Iterator[World]:
    """A world of that target, stood up on entry and torn down on exit; its journal lies in `runs_dir`/`run_id`."""
    run_id = run_id or f"{dt.datetime.now(dt.UTC):{RUN_ID_FORMAT}}-{secrets.token_hex(3)}"
    stand = importlib.import_module(TARGETS[target].module).stand
    with stand(Asked(run_id, pace, runs_dir, options or {})) as world:
        yield world
