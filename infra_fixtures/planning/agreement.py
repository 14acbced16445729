"""A person reads the plan and agrees, or nothing is changed."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec

from drill.unusable import UnusableInput
from infra_fixtures.faults.schedule import Schedule
from infra_fixtures.planning.elsewhere import Found, found_elsewhere
from infra_fixtures.planning.plan import Intent, Plan
from infra_fixtures.planning.walk import walked
from infra_fixtures.safety.journal import Header
from infra_fixtures.targets import is_guarded, module_of
from infra_fixtures.targets.permission import Outline
from infra_fixtures.targets.world import World

TERMINAL = "/dev/tty"
"""The terminal itself, whatever standard input and output are."""
PATIENCE_S = 600.0


class DryRun(Exception):
    """The plan is printed, and nothing more was asked for."""


def agreed(
    run: Header,
    intent: Intent,
    schedule: Schedule | None,
    directory: Path,
    show: Callable[[str], None],
    aside: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
) -> Header:
    """The run with the agreement among its options; as it is for a target that touches no real account.

    The plan is kept in `directory`, and shown. `aside`: nothing else is drawn on the terminal in there. Raises DryRun where
    only a plan was asked for, UnusableInput where something forbids it or nobody agrees. Nothing has been changed by then.
    """
    if not is_guarded(run.target, run.options):
        return run
    module = module_of(run.target)
    allowed = module.permitted(run, intent.lasts_s)
    outline: Outline = module.outline(run) if hasattr(module, "outline") else Outline()
    if outline.stand_up_s:
        allowed = module.permitted(run, intent.lasts_s + outline.stand_up_s)
    for sentence in () if run.options.get("dry_run") else allowed.objections:
        raise UnusableInput(sentence)
    found = _found(module, run, schedule)
    plan = Plan.of(allowed, intent, outline, found.faults, found.makes)
    plan.write(directory)
    show(plan.text())
    if run.options.get("dry_run"):
        raise DryRun(f"the plan is in {directory}; nothing was changed")
    for sentence in plan.objections:
        raise UnusableInput(sentence)
    if not allowed.confirmed and not plan.read_only:
        with aside():
            ask(plan)
    return msgspec.structs.replace(run, options={**run.options, "yes": plan.account})


def rehearsed(
    run: Header, intent: Intent, schedule: Schedule, world: World, directory: Path, show: Callable[[str], None]
) -> None:
    """Rehearse the faults once more on the system that stands now, and keep that plan; nothing for other targets.

    What could not be rehearsed before is shown. Raises UnusableInput where something forbids them by now.
    """
    if not is_guarded(run.target, run.options):
        return
    module = module_of(run.target)
    plan = Plan.of(module.permitted(run, intent.lasts_s), intent, Outline(), walked(world, schedule))
    plan.write(directory)
    if not hasattr(module, "previewed"):
        show(plan.text())
    for sentence in plan.objections:
        raise UnusableInput(sentence)


def ask(plan: Plan) -> None:
    """Have the account's id or alias typed on the terminal; raises UnusableInput where there is none, or it is another."""
    words = f"{plan.account}" + (f" or {plan.alias}" if plan.alias else "")
    answer = _typed(f"Type {words} to go on: ", plan.account)
    if answer not in {plan.account, plan.alias or plan.account}:
        raise UnusableInput(f"{answer or 'nothing'} was typed, and not {words}: nothing was changed")


def _typed(question: str, account: str) -> str:
    try:
        descriptor = os.open(TERMINAL, os.O_RDWR | os.O_NOCTTY)
    except OSError as e:
        raise UnusableInput(
            f"there is no terminal on which somebody could agree to the plan: give --yes {account} once you have seen it "
            "(--dry-run)"
        ) from e
    try:
        if os.isatty(descriptor):
            termios.tcflush(descriptor, termios.TCIFLUSH)  # what was typed before it was asked is no answer
        os.write(descriptor, question.encode())
        return _line(descriptor).strip()
    finally:
        os.close(descriptor)


def _line(descriptor: int) -> str:
    """One line, however many pieces it comes in; raises UnusableInput where none is typed in time."""
    typed, until = b"", time.monotonic() + PATIENCE_S
    while not typed.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            raise UnusableInput(f"nobody agreed to the plan within {PATIENCE_S:.0f} s: nothing was changed")
        piece = os.read(descriptor, 1024)
        if not piece:
            break
        typed += piece
    return typed.decode(errors="replace")


def _found(module: Any, run: Header, schedule: Schedule | None) -> Found:
    """What the faults would call: on the system itself where it stands, else in an emulated account where there is one."""
    if schedule is None:
        return Found()
    if not hasattr(module, "previewed"):
        return found_elsewhere(module, run, schedule)
    with module.previewed(run) as world:
        return Found(walked(world, schedule))
