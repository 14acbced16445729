"""Whether a run may touch a real account: by its game day file, its credentials and the account as it is at this moment.

A target of real accounts includes GUARD_OPTIONS in its row, and its module has, beside `held`, `stand` and `orphan`,
`permitted(run, lasts_s) -> Permission`. It asks for it wherever it makes clients: in `held` for the lock and the stop
conditions, in `stand` for the guard. It is found anew from the run's header each time, with no state between. Whoever heals
has `healing_guard`. Where the module has them, the plan also asks `previewed(run) -> context manager of a World with a
guard`, on which faults are rehearsed before anything is changed, or `emulated(run)` (`infra_fixtures.planning.elsewhere`),
and `outline(run) -> Outline`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drill.unusable import UnusableInput
from infra_fixtures.global_services import GLOBAL
from infra_fixtures.provision.naming import RUN_TAG
from infra_fixtures.safety.call_log import CALLS, CallLog
from infra_fixtures.safety.caller import Asking, Caller, caller_of
from infra_fixtures.safety.gameday_file import GameDayFile
from infra_fixtures.safety.guard import Guard
from infra_fixtures.safety.journal import Header
from infra_fixtures.safety.lock_place import LockPlace
from infra_fixtures.safety.objections import (
    alarm_objections,
    credential_objections,
    lever_objections,
    window_objections,
)
from infra_fixtures.safety.scope import Tag, listed
from infra_fixtures.safety.stop_conditions import Condition, Until
from infra_fixtures.safety.target_lock import target_lock


@dataclass(frozen=True, slots=True)
class Outline:
    """What a target says of itself in a plan: what standing up makes (sentences), what that costs, and how long it takes."""

    makes: tuple[str, ...] = ()
    price: str = ""
    stand_up_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Permission:
    """What a run may do. `objections` forbid it now, a sentence each; `unknown` is what could not be looked at."""

    run: Header
    file: GameDayFile
    caller: Caller
    guard: Guard
    log: CallLog
    objections: tuple[str, ...]
    unknown: tuple[str, ...]
    asking: Asking
    now: dt.datetime

    @property
    def confirmed(self) -> bool:
        """Whether a person has agreed to change something in this account."""
        return self.guard.scope.confirmed

    @property
    def stop_conditions(self) -> tuple[Condition, ...]:
        """The end of the window, and the alarms; the lock is one more."""
        closes = self.guard.scope.closes(self.now)
        return (*((Until(at=closes),) if closes is not None else ()), *self.file.alarms)

    def protect(self, holder: Any) -> None:
        """Put a boto3 client, or all clients that a boto3 session makes from now on, under the guard, and note their calls."""
        self.guard.protect(holder)
        self.log.watch(holder)

    def require(self) -> None:
        """Raise UnusableInput, with the first objection, or where nobody has agreed."""
        for sentence in self.objections:
            raise UnusableInput(sentence)
        if not self.confirmed and not self.file.read_only:
            raise UnusableInput(
                f"nobody has agreed to change the account {self.caller.account}: run it in a terminal, or give --yes "
                f"{self.caller.account} once you have seen the plan (--dry-run)"
            )

    @contextlib.contextmanager
    def lock(self, region: str, is_over: Callable[[], bool]) -> Iterator[tuple[Condition, ...]]:
        """Hold the target in that region, which must not be the one that is taken away; what ends every drill of it.

        Raises UnusableInput where it may not be done, or another run has it. A read-only run changes nothing and needs none.
        """
        self.require()
        if self.file.read_only:
            yield self.stop_conditions
            return
        with target_lock(self.lock_place(region), self.run.run_id, is_over=is_over) as held:
            yield (*self.stop_conditions, held)

    def lock_place(self, region: str) -> LockPlace:
        """Where the lock is. It is given back when the window is over, too, and its bucket is nobody else's."""
        s3 = self.asking.new("s3", region)
        place = LockPlace(s3, self.caller.account, self.run.target)
        scope = dataclasses.replace(self.guard.scope, windows=(), blast_radius=None)
        Guard(scope, self.asking.client, account=self.caller.account, owned={place.bucket}).protect(s3)
        self.log.watch(s3)
        return place


def permission(
    run: Header,
    session: Any,
    endpoints: Mapping[str, str] | None = None,
    *,
    lasts_s: float = 0.0,
    owned: Container[str] = frozenset(),
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
) -> Permission:
    """What the run may do with the boto3 session's credentials; raises UnusableInput where that cannot be told, or is nothing.

    endpoints: URLs by region and GLOBAL where it is not AWS. lasts_s: how long it is estimated to take, with healing.
    owned: names that the run makes (Guard). Nothing is changed, and the session's own clients are not protected by this:
    `Permission.protect` does that.
    """
    file = file_of(run)
    asking = Asking(session, endpoints or {})
    caller = caller_of(asking, _some_region(file))
    _require_account(file, caller, run.options.get("yes"))
    scope = file.scope(confirmed=run.options.get("yes") == caller.account)
    client = asking.client
    unknown: list[str] = []
    at = now()
    objections = (
        *window_objections(scope, at, lasts_s),
        *credential_objections(caller, at, lasts_s),
        *alarm_objections(client, file.alarms),
        *lever_objections(client, scope.regions, unknown),
    )
    guard = Guard(scope, client, account=caller.account, owned=owned, mark=_mark(run), now=now)
    return Permission(run, file, caller, guard, log_of(run), objections, tuple(unknown), asking, at)


def healing_guard(
    run: Header, session: Any, endpoints: Mapping[str, str] | None = None, *, owned: Container[str] = frozenset()
) -> tuple[Guard, CallLog]:
    """For whoever heals a run or removes what it made: the same accounts, regions and tag, at any hour, however much it is."""
    file = file_of(run)
    scope = dataclasses.replace(file.scope(confirmed=True), windows=(), blast_radius=None)
    return Guard(scope, Asking(session, endpoints or {}).client, owned=owned, mark=_mark(run)), log_of(run)


def log_of(run: Header) -> CallLog:
    """Where a run's calls are noted: in its own directory."""
    return CallLog(Path(run.records, CALLS) if run.records else None)


def _mark(run: Header) -> Tag:
    """By which what the run made is known to whoever heals it."""
    return Tag(RUN_TAG, run.run_id)


def file_of(run: Header) -> GameDayFile:
    """What the run may touch; raises UnusableInput."""
    given = run.options.get("gameday")
    if not given:
        raise UnusableInput(
            f"the target {run.target} changes a real account, and nothing says what it may touch: give --gameday FILE "
            "(docs/gameday-file.md has an example)"
        )
    return GameDayFile.parse(given["text"], source=given["path"])


def _require_account(file: GameDayFile, caller: Caller, yes: str | None) -> None:
    if caller.account not in file.accounts:
        raise UnusableInput(
            f"the credentials are of the account {caller.account} ({caller.arn}), which {file.source} does not allow "
            f"({listed(file.accounts)}): use other credentials"
        )
    if yes and yes != caller.account:
        raise UnusableInput(
            f"--yes {yes} is not the account that would be changed, {caller.account}: look at the plan again"
        )


def _some_region(file: GameDayFile) -> str:
    return min((r for r in file.regions if r != GLOBAL), default="us-east-1")
