"""What any process needs to heal an attached system: its faults say themselves how they are undone."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from infra_fixtures.safety.caller import Asking
from infra_fixtures.safety.guard import Guard
from infra_fixtures.safety.journal import Header
from infra_fixtures.safety.scope import Scope
from infra_fixtures.safety.sweep import sweep
from infra_fixtures.safety.target_lock import lock_of_dead_run
from infra_fixtures.targets.attach import account
from infra_fixtures.targets.attach.given import described
from infra_fixtures.targets.attach.in_account import completed
from infra_fixtures.targets.attach.machine_lock import taken_over_here
from infra_fixtures.targets.roles import return_to_primary

P = TypeVar("P")


class AttachOrphan:
    """The system past a run: nothing of it was made, so nothing is removed."""

    guard: Guard

    def __init__(self, run: Header) -> None:
        self.run = run
        self._described = described(run.options)
        self._asking: Asking | None = None
        self.guard, protect = self._permitted()
        self.primary, self.standby = (site.name for site in self._described.sites)
        if self._described.aws is not None:
            self._asking = account.clients(self._described.aws, protect)

    def _permitted(self) -> tuple[Guard, account.Protect]:
        """The guard of whoever heals, and what puts clients under it."""
        if self._described.aws is not None:
            return account.healing(self.run, self._described.aws)
        names = frozenset(site.name for site in self._described.sites)
        return Guard(Scope(frozenset(), names, confirmed=True), self.client), lambda _: None

    def client(self, service: str, region: str | None = None) -> Any:
        """None where it is described without an AWS account."""
        return None if self._asking is None else self._asking.client(service, region)

    def client_at(self, service: str, region: str, url: str) -> Any:
        """A client of an endpoint that has an address of its own; None where there is no account."""
        return None if self._asking is None else account.client_at(self._asking, service, region, url)

    def part(self, kind: type[P]) -> P | None:
        """What of it is in an AWS account."""
        return self._aws_parts.get(kind)

    @functools.cached_property
    def _aws_parts(self) -> Mapping[type, Any]:
        """Looked for when one is asked for: most undo needs none, and must not fail for want of a stack."""
        if self._described.aws is None or self._asking is None:
            return {}
        found = completed(self._described.aws, self._asking, self.primary, self.standby)
        return {type(p): p for p in found.parts(self.primary, self.standby)}

    def return_to_primary(self) -> None:
        """Make the primary's cluster the writer again, where it has an Aurora global database; else it is [failback]'s matter,
        which is in the journal as undo, and done with it."""
        if self._asking is not None and self._described.failback != "left":
            return_to_primary(self)

    def healing(self) -> AbstractContextManager[None]:
        """What is done in here is undone."""
        return self.guard.healing()

    def end_processes(self) -> int:
        """Of a dead run only the load generator is its own."""
        return sweep(self.run.run_id)

    def taken_over(self) -> AbstractContextManager[None]:
        """Hold its lock in the dead run's place."""
        aws = self._described.aws
        if aws is not None:
            return lock_of_dead_run(account.lock_place(self.run, aws, self._described.standby.name), self.run.run_id)
        return taken_over_here(self._described.service.url, self.run.run_id)

    def remove(self) -> None:
        """The run made nothing."""
