"""The ledger: what clients were promised, held against what the survivors kept, one store at a time.

Only an acknowledged write can be lost. One that is in doubt may be found or not; one that was refused should not be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from drill.history import NS
from drill.measure.content import wrong_keys
from drill.measure.times import Times
from drill.objective import Objectives

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

STORES = {"aurora": "write", "s3": "put_object"}
"""Each store and the kind of op that writes to it, where the op itself names no store."""
GRACE_NS = 100_000_000
"""An answer sent just before the fault may be read by a busy client a little after it: a write that was sent before the
fault counts as acknowledged after it only when the answer came later than this."""


class KeySet:
    """A set of int64 keys: a bitmap where they lie close together, else hashed.

    (numpy's unique() takes 8 s for ten million keys that lie apart, and searching them in random order 3 s.)
    """

    def __init__(self, keys: Ints) -> None:
        self._first = int(keys.min()) if keys.size else 0
        span = int(keys.max()) - self._first + 1 if keys.size else 0
        self._bitmap: Bools | None = None
        self._keys = keys
        if span <= max(16 * keys.size, 1 << 16):
            self._bitmap = np.zeros(span, np.bool_)
            self._bitmap[keys - self._first] = True
            self.size = int(np.count_nonzero(self._bitmap))
        else:
            self.size = int(np.count_nonzero(np.diff(np.sort(keys)))) + 1

    def has(self, keys: Ints) -> Bools:
        """Which of `keys` are in the set."""
        if self._bitmap is None:
            found: Bools = pl.Series(keys).is_in(pl.Series(self._keys).implode()).to_numpy()
            return found
        inside: Bools = (keys >= self._first) & (keys < self._first + self._bitmap.size)
        inside[inside] = self._bitmap[keys[inside] - self._first]
        return inside


@dataclass(frozen=True, slots=True)
class Ledger:
    """One store's account. Counts are of distinct keys; times are ns of acknowledgement, sorted."""

    store: str
    acked: int
    acked_before: int
    acked_twice: int
    last_acked_ns: int | None
    """When the last of them was acknowledged."""
    late: int
    read: bool
    """Whether any survivor of this store was read."""
    read_ns: int | None
    """When reading the survivors began."""
    lost_before_ns: Ints
    early: int | None
    """Lost before the fault, too old for replication lag (drill.measure.early); None where nobody can tell."""
    lost_after_ns: Ints
    lost: int
    lost_after: int
    lost_surely_after: int
    lost_maybe_after: int
    """The least and the most of them there may be, the clocks of clients and harness being as uncertain as they are."""
    unchecked: int
    """Missing, but acknowledged only after the survivors had been read: neither lost nor kept."""
    lost_sent_ns: int | None
    """When the first of those lost before the fault was sent: none was stored earlier than that."""
    oldest_kept_ns: int | None
    """The last acknowledgement before the oldest lost one (before fault.begin, if none is lost) that was kept."""
    in_doubt: int
    in_doubt_found: int
    refused_found: int
    duplicates: int
    phantoms: int
    wrong: int | None
    """Acknowledged, and there with another content; None where contents are not known."""


def ledger(
    store: str,
    ops: pl.DataFrame,
    survivors: pl.DataFrame | None,
    times: Times,
    objectives: Objectives,
    clock_s: float = 0.0,
    shown_ns: int | None = None,
) -> Ledger:
    """The account of `store`; without survivors nothing counts as lost and `read` is False.

    `clock_s`: by how much the clocks of clients and harness may differ. `shown_ns`: what was acknowledged before that
    cannot have been lost by replication lag (drill.measure.early).
    """
    # column by column: frames of millions of rows would be copied whole
    wrote = _writes(store, ops)
    ok = wrote & (ops["outcome"] == "ok")
    keys, ended, began, intended = (
        ops[c].filter(ok).to_numpy() for c in ("key", "ended_ns", "began_ns", "intended_ns")
    )
    doubtful = wrote & (ops["outcome"] == "unknown")
    doubts = ops["key"].filter(doubtful).to_numpy()
    refusals = ops["key"].filter(wrote & (ops["outcome"] == "fail")).to_numpy()
    acked = KeySet(keys)
    begin_ns, effective_ns = times.fault or (2**62, 2**62)

    kept_keys, copies, read_ns = _survived(store, survivors)
    kept = KeySet(kept_keys)

    missing = np.zeros(keys.size, np.bool_) if survivors is None else ~kept.has(keys)
    unchecked = missing & (ended > read_ns) if read_ns is not None else np.zeros(keys.size, np.bool_)
    lost = missing & ~unchecked
    clock_ns = round(clock_s * NS)

    def after_by(ns: int) -> Bools:
        found: Bools = (began > effective_ns + ns) | (ended > effective_ns + GRACE_NS + ns)
        return found

    after = after_by(0)
    early = lost & ~after & (ended < (-(2**62) if shown_ns is None else shown_ns - clock_ns))
    before = lost & ~after & ~early
    lost_before_ns = np.sort(ended[before])
    sent_ns = began[before]
    oldest = int(lost_before_ns[0]) if lost_before_ns.size else begin_ns
    kept_before = ended[~missing & (ended <= oldest)]

    doubtful_found = doubts[~acked.has(doubts) & kept.has(doubts)]
    unresolved = KeySet(doubts[~acked.has(doubts)])
    refused = refusals[~acked.has(refusals)]
    refused = refused[~unresolved.has(refused)]
    sent = KeySet(ops["key"].filter(wrote).to_numpy())
    return Ledger(
        store=store,
        acked=acked.size,
        acked_before=int(np.count_nonzero(ended <= begin_ns)) if times.fault else 0,
        acked_twice=keys.size - acked.size,
        last_acked_ns=int(ended.max()) if ended.size else None,
        late=int(np.count_nonzero(ended - intended > objectives.deadline_ns)),
        read=read_ns is not None,
        read_ns=read_ns,
        lost_before_ns=lost_before_ns,
        early=KeySet(keys[early]).size if shown_ns is not None or not lost_before_ns.size else None,
        lost_after_ns=np.sort(ended[lost & after]),
        lost=KeySet(keys[lost]).size,
        lost_after=KeySet(keys[lost & after]).size,
        lost_surely_after=KeySet(keys[lost & after_by(clock_ns)]).size,
        lost_maybe_after=KeySet(keys[lost & after_by(-clock_ns)]).size,
        unchecked=KeySet(keys[unchecked]).size,
        lost_sent_ns=int(sent_ns.min()) if sent_ns.size else None,
        oldest_kept_ns=int(kept_before.max()) if kept_before.size else None,
        in_doubt=unresolved.size,
        in_doubt_found=KeySet(doubtful_found).size,
        refused_found=KeySet(refused[kept.has(refused)]).size,
        duplicates=max(0, copies - kept.size),
        phantoms=KeySet(kept_keys[~sent.has(kept_keys)]).size,
        wrong=wrong_keys(store, ops, ok, doubtful, survivors),
    )


def _writes(store: str, ops: pl.DataFrame) -> pl.Series:
    """Which ops write to `store`: those that name it, and of those that name none the kind that goes there."""
    by_kind, named = ops["op"] == STORES[store], ops["store"]
    if named.null_count() == named.len():
        return by_kind
    return by_kind.zip_with(named.is_null(), (named == store) & (ops["op"] != "read"))


def _survived(store: str, survivors: pl.DataFrame | None) -> tuple[Ints, int, int | None]:
    """The keys that survived in the store, how many copies of them, and when reading them began."""
    if survivors is None:
        return np.empty(0, np.int64), 0, None
    there = (survivors["store"] == store) & (survivors["copies"] > 0) & survivors["key"].is_not_null()
    read = pl.col("at_ns").filter(there).min()
    copies, read_ns = survivors.select(pl.col("copies").cast(pl.Int64).filter(there).sum(), read).row(0)
    return survivors["key"].filter(there).to_numpy(), int(copies or 0), read_ns
