"""An experiment that was started is followed: each new state is a mark, and what it did not do is told at the end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from drill.parts import Tell
from drill.wait import WaitTimeout, wait_until
from infra_fixtures.fis.experiment import State, shown, state_of

UNSEEN_S = 60.0
"""An experiment that FIS has told nothing of for so long is not followed any longer."""
CONCLUDED_WITHIN_S = 15.0
STOPPED = frozenset({"stopping", "stopped"})
"""What an action that was under way is once the drill stopped its experiment."""


class Lost(Exception):
    """FIS tells nothing of the experiment any more."""


class FollowedExperiment:
    """One experiment, from its start until it is healed.

    Marks: fis.target once a target (its name; what it resolved to), fis.experiment and fis.action whenever their status
    changed (the detail), and fault.incomplete for each action that did not take place.
    """

    def __init__(self) -> None:
        self.quiet_ns: int | None = None
        self._fis: Any = None
        self._state: State | None = None
        self._named: tuple[str, ...] = ()
        self._resolved: Mapping[str, list[str]] = {}
        self._told: dict[str, str] = {}
        self._seen_ns = 0

    def begun(self, fis: Any, state: State, seen_ns: int, resolved: Mapping[str, list[str]]) -> None:
        """It was started, and this was its first state at that time.monotonic_ns()."""
        self._fis, self._state, self._resolved = fis, state, resolved
        self._named = tuple(state.actions)
        self._seen_ns = seen_ns

    def look(self, tell: Tell) -> None:
        """Ask once; Lost where FIS has not answered for UNSEEN_S."""
        if self._state is None:
            return
        if not self._told:
            for name, arns in self._resolved.items():
                tell("fis.target", name, shown(arns), self._seen_ns)
            self._tell_changes(tell, self._state)
        try:
            self._state, self._seen_ns = state_of(self._fis, self._state.id), time.monotonic_ns()
        except (BotoCoreError, ClientError) as e:
            if time.monotonic_ns() - self._seen_ns > UNSEEN_S * 1e9:
                raise Lost(f"FIS has told nothing of {self._state.id} for {UNSEEN_S:g} s: {e}") from e
            return
        self._tell_changes(tell, self._state)
        if not self._state.to_come:
            self.quiet_ns = self.quiet_ns or time.monotonic_ns()

    def conclude(self, tell: Tell) -> None:
        """It was stopped: what it did until then counts, and what could not be seen counts as not done."""
        if self._state is None:
            return
        by_itself = self._has_ended
        with contextlib.suppress(WaitTimeout):
            wait_until(lambda: self._is_over(tell), what="its end", timeout_s=CONCLUDED_WITHIN_S, every_s=0.2)
        for what, detail in self._missing(self._state, by_itself):
            tell("fault.incomplete", what, detail)

    @property
    def _has_ended(self) -> bool:
        return self._state is not None and self._state.has_ended

    def _is_over(self, tell: Tell) -> bool:
        self.look(tell)
        return self._has_ended

    def _missing(self, state: State, by_itself: bool) -> Iterator[tuple[str, str]]:
        """Of its last state; `by_itself`: it had ended before the drill stopped it."""
        if not state.has_ended:
            yield state.id, f"is {state.status} still, so that what it did is not known"
            return
        if state.status in ("failed", "cancelled") or (by_itself and state.status == "stopped"):
            yield state.id, f"is {state.status}, and the drill did not stop it: {state.reason or 'no reason is given'}"
        for name in self._named:
            action = state.actions.get(name)
            if action is None:
                yield f"{state.id}/{name}", "is told of no longer"
            elif not (action.begun and (action.status == "completed" or (action.status in STOPPED and not by_itself))):
                yield f"{state.id}/{name}", f"({action.action_id}) is {action}"

    def _tell_changes(self, tell: Tell, state: State) -> None:
        each = {state.id: ("fis.experiment", state.status, state.reason)}
        each |= {
            f"{state.id}/{name}": ("fis.action", f"{a.status} {a.action_id}", a.reason)
            for name, a in state.actions.items()
        }
        for subject, (event, status, reason) in each.items():
            if self._told.get(subject) != status:
                self._told[subject] = status
                tell(event, subject, f"{status}: {reason}" if reason else status, self._seen_ns)
