"""Undo faults from their journalled undo, whoever does it: the fault itself, or a later run for one that died."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Protocol

from infra_fixtures.safety.journal import AwsCall, Undo

log = logging.getLogger(__name__)


class Healer(Protocol):
    """What undoing needs: AWS clients, and the target's powers as methods."""

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client."""


class HealingFailed(Exception):
    """Some undo did not work; the message names each, and the journal keeps them open."""


def undo_all(world: Healer, undo: Sequence[Undo]) -> None:
    """Do every undo, even where one fails; then raise HealingFailed naming those that did."""
    failures: list[str] = []
    for step in undo:
        try:
            perform(world, step)
        except Exception as e:  # the rest must still be undone
            log.exception("could not undo: %s", step)
            failures.append(f"{step}: {type(e).__name__}: {e}")
    if failures:
        raise HealingFailed("not healed, do it by hand: " + "; ".join(failures))


def perform(world: Healer, step: Undo) -> None:
    """Do one undo."""
    if isinstance(step, AwsCall):
        getattr(world.client(step.service, step.region), step.operation)(**step.parameters)
    else:
        getattr(world, step.power)(*step.arguments)
