"""Ops as requests in the order they were due: what every availability figure is taken from, as flat columns.

An order with a receipt is recorded as two ops with the same times; its failures are one failure, not two, so ops of
one cohort that were due at the same nanosecond but differ in kind are one request, good only if all of them are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from drill.measure.reach import Reach
from drill.objective import Objectives

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

BAD, LATE, TOUCHED = 1, 2, 4
FLAGS = 8


@dataclass(frozen=True, slots=True)
class Requests:
    """Columns of equal length, sorted by `due_ns`, the same for any order of the records.

    `bad`: not OK within the deadline of its intended start. `late`: OK, but past the deadline. `touched`: bad, and
    in time until the fault struck while it was under way (Reach). `ended_ns`: when its (last) answer came.
    `stratum`: cohort * len(kinds) + kind.
    """

    due_ns: Ints
    ended_ns: Ints
    bad: Bools
    late: Bools
    touched: Bools
    stratum: npt.NDArray[np.int32]
    cohorts: tuple[str, ...]
    kinds: tuple[str, ...]

    @classmethod
    def of(cls, ops: pl.DataFrame, objectives: Objectives, reach: Reach | None) -> Requests:
        """From ops as recorded, in any order."""
        due = ops["intended_ns"].to_numpy()
        ended = ops["ended_ns"].to_numpy()
        ok = (ops["outcome"] == "ok").to_numpy()
        within = ended - due <= objectives.deadline_ns
        flags = np.where(ok & within, 0, BAD).astype(np.int64)
        flags |= np.where(ok & ~within, LATE, 0)
        if reach is not None:
            open_then = (due < reach.begin_ns) & (ended >= reach.begin_ns)
            flags |= np.where((flags & BAD) & open_then & (due >= reach.earliest_due_ns), TOUCHED, 0)
        cohort, cohorts = _codes(ops["cohort"])
        kind, kinds = _codes(ops["op"])
        label = (cohort * max(1, len(kinds)) + kind) * FLAGS + flags
        order = _order(due, ended, label, max(1, len(cohorts)) * max(1, len(kinds)) * FLAGS)
        return cls._merged(due[order], ended[order], label[order], cohorts, kinds)

    @classmethod
    def _merged(cls, due: Ints, ended: Ints, label: Ints, cohorts: tuple[str, ...], kinds: tuple[str, ...]) -> Requests:
        stratum = (label // FLAGS).astype(np.int32)
        flags = label % FLAGS
        cohort = stratum // max(1, len(kinds))
        joins = np.zeros(due.size, np.bool_)
        joins[1:] = (due[1:] == due[:-1]) & (cohort[1:] == cohort[:-1]) & (stratum[1:] != stratum[:-1])
        if joins.any():
            heads = np.flatnonzero(~joins)
            flags = np.bitwise_or.reduceat(flags, heads)
            ended = np.maximum.reduceat(ended, heads)
            due, stratum = due[heads], stratum[heads]
        bad = (flags & BAD) != 0
        late = (flags & LATE) != 0
        return cls(due, ended, bad, late & bad, (flags & TOUCHED) != 0, stratum, cohorts, kinds)

    def __len__(self) -> int:
        return int(self.due_ns.size)

    def where(self, mask: Bools | slice) -> Requests:
        """Those that the mask or slice selects; a slice copies nothing."""
        if isinstance(mask, np.ndarray):
            return self._at(np.flatnonzero(mask))
        return self._at(mask)

    def _at(self, mask: Ints | slice) -> Requests:
        return Requests(
            self.due_ns[mask],
            self.ended_ns[mask],
            self.bad[mask],
            self.late[mask],
            self.touched[mask],
            self.stratum[mask],
            self.cohorts,
            self.kinds,
        )

    def between(self, from_ns: int, to_ns: int) -> Requests:
        """Those due in [from_ns, to_ns)."""
        a, b = np.searchsorted(self.due_ns, [from_ns, to_ns])
        return self.where(slice(int(a), int(b)))

    def from_fault(self, begin_ns: int, end_ns: int) -> Requests:
        """Those the fault can have hurt: due in [begin_ns, end_ns], or due before it and touched."""
        a, b = (int(i) for i in np.searchsorted(self.due_ns, [begin_ns, end_ns + 1]))
        early = np.flatnonzero(self.touched[:a])
        return self._at(np.concatenate((early, np.arange(a, b))) if early.size else slice(a, b))

    def of_cohort(self, cohort: str) -> Requests:
        """Those of one cohort."""
        return self if len(self.cohorts) == 1 else self.where(self._of(cohort))

    def due_of(self, cohort: str) -> Ints:
        """When those of one cohort were due."""
        return self.due_ns[self._of(cohort)]

    def due_of_kind(self, kind: str) -> Ints:
        """When those of one kind of op were due; an order with a receipt is of the kind that comes first by name."""
        found: Ints = self.due_ns[self.stratum % max(1, len(self.kinds)) == self.kinds.index(kind)]
        return found

    def untouched(self) -> Requests:
        """Those that the fault cannot have hurt."""
        return self.where(~self.touched) if self.touched.any() else self

    def _of(self, cohort: str) -> Bools:
        kinds = max(1, len(self.kinds))
        first = self.cohorts.index(cohort) * kinds
        found: Bools = (self.stratum >= first) & (self.stratum < first + kinds)
        return found


def _codes(column: pl.Series) -> tuple[Ints, tuple[str, ...]]:
    """Each value's place among the sorted distinct values."""
    filled = column.fill_null("")
    names = sorted(filled.unique().to_list())
    codes: Any = filled.cast(pl.Enum(names)).to_physical().to_numpy()
    return codes.astype(np.int64), tuple(names)


def _order(due: Ints, ended: Ints, label: Ints, labels: int) -> Ints:
    """The order by time, then label, then answer: packed into one integer where it fits (5 times faster than by keys)."""
    if due.size == 0:
        return np.empty(0, np.int64)
    first, last = int(due.min()), int(due.max())
    if (last - first + 1) * labels < 2**62:
        packed = (due - first) * labels + label
        order = np.argsort(packed, kind="stable")
        packed = packed[order]
        same = packed[1:] == packed[:-1]
        if same.any():
            tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
            own = order[tied]
            order[tied] = own[np.lexsort((ended[own], packed[tied]))]
        return order
    return np.lexsort((ended, label, due))
