"""What any process needs to heal an attached system: its faults say themselves how they are undone."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from infra_fixtures.safety.guard import Guard
from infra_fixtures.safety.journal import Header
from infra_fixtures.safety.scope import Scope
from infra_fixtures.safety.sweep import sweep
from infra_fixtures.targets.attach.given import described
from infra_fixtures.targets.attach.machine_lock import taken_over_here


class AttachOrphan:
    """The system past a run: nothing of it was made, so nothing is removed."""

    def __init__(self, run: Header) -> None:
        self.run = run
        self.guard = Guard(Scope(frozenset(), frozenset(), confirmed=True), self.client)

    def client(self, service: str, region: str | None = None) -> Any:
        """None: it is described without an AWS account."""
        return None

    def healing(self) -> AbstractContextManager[None]:
        """What is done in here is undone."""
        return self.guard.healing()

    def end_processes(self) -> int:
        """Of a dead run only the load generator is its own."""
        return sweep(self.run.run_id)

    def taken_over(self) -> AbstractContextManager[None]:
        """Hold its lock in the dead run's place."""
        return taken_over_here(described(self.run.options).service.url, self.run.run_id)

    def remove(self) -> None:
        """The run made nothing."""
