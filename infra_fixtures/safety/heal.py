"""Undo journalled faults: the one way, whoever does it (the fault itself, the watchdog, `heal`, the next run)."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from infra_fixtures.safety.journal import Begun, Journal
from infra_fixtures.safety.undo import Healer, RemoveLinkRule, Undo

log = logging.getLogger(__name__)


class HealingFailed(Exception):
    """Some undo did not work; the message names each, and the journal keeps them open."""


def undo_all(healer: Healer, journal: Journal, by: str, entries: Sequence[Begun] | None = None) -> list[Begun]:
    """Undo every open entry of the journal (or those given) and note each as healed once all of its undo succeeded.

    All are tried even where one fails; then HealingFailed names those that did. Returns what was healed.

    Rules on links go first, since repairing anything else may need the link, and they do not depend on one another. The
    rest is undone newest first: each undo restores what was before its own fault. Whatever gives roles back is last, of all
    faults: no region can take one that is still broken.
    """
    left = journal.open_entries() if entries is None else sorted(entries, key=lambda e: -e.entry)
    left = sorted(left, key=lambda e: not _only_links(e))
    failures: dict[int, list[str]] = {begun.entry: [] for begun in left}
    healed: list[Begun] = []
    for giving_roles in (False, True):
        for begun in left:
            with healer.healing():
                for step in begun.undo:
                    if _gives_roles(step) == giving_roles and (sentence := _failure(healer, step)):
                        failures[begun.entry].append(f"{begun.fault}: {sentence}")
            is_whole = giving_roles == any(map(_gives_roles, begun.undo))
            if is_whole and not failures[begun.entry]:
                journal.healed(begun.entry, by)
                healed.append(begun)
    if failed := [sentence for sentences in failures.values() for sentence in sentences]:
        raise HealingFailed("not healed, do it by hand: " + "; ".join(failed))
    return healed


def _only_links(entry: Begun) -> bool:
    return bool(entry.undo) and all(isinstance(step, RemoveLinkRule) for step in entry.undo)


def _gives_roles(step: Undo) -> bool:
    return bool(getattr(step, "gives_roles", False))


def _failure(healer: Healer, step: Undo) -> str:
    """Do one undo; why it failed, empty where it did not."""
    try:
        step.perform(healer)
    except Exception as e:  # the rest must still be undone
        log.exception("could not undo: %s", step)
        return f"{step}: {type(e).__name__}: {e}"
    return ""
