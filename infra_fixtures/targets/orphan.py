"""What is left of a run whose harness died, as each target finds it again by the header of the journal."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from infra_fixtures.safety.undo import Healer


class NotGone(Exception):
    """Something of a system that was removed is still there; the message names it."""


class Orphan(Healer, Protocol):
    """A healer that can also end what is left: for a run that nobody holds any more."""

    def end_processes(self) -> int:
        """End what cannot outlive its harness, whose faults are gone with it; returns how many processes were ended."""

    def taken_over(self) -> AbstractContextManager[None]:
        """Hold the target in the dead run's place, so that no other begins in what is healed and removed; then it is free.

        Raises UnusableInput where its AWS API does not answer.
        """

    def remove(self) -> None:
        """Remove what the run made and what outlived it: files, and resources in an AWS API that goes on."""
