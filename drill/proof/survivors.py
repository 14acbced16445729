"""Were the survivors read, after everything was written, where service now is, and do they fit what was sent?"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from drill.history import NS, SURVIVORS_SCHEMA, History, completed
from drill.measure import Measurements
from drill.measure.ledger import STORES, Ledger
from drill.measure.serving import serving_region
from drill.proof.doubt import Doubt, Figures

READS = ("read", "get", "list", "head", "query")
"""How kinds of op that write nothing begin."""


def survivors_read(history: History, ops: pl.DataFrame, found: Measurements) -> Iterator[Doubt]:
    """What a loss of nothing needs to be more than not having looked."""
    ledgers = found.ledgers.values()
    if found.times.fault is not None and not any(x.acked_before for x in ledgers):
        yield Doubt("nothing was acknowledged before the fault, so nothing could be lost")
    unread = {m.subject or "both" for m in history.marks or () if m.event == "survivors.unread"}
    if unread:
        yield Doubt(f"the survivors were not read ({', '.join(sorted(unread))})", Figures.LOSS)
    for x in ledgers:
        if x.acked_twice:
            yield Doubt(
                f"{x.acked_twice} writes to {x.store} were acknowledged under a key that had been acknowledged already"
            )
        if x.phantoms:
            yield Doubt(
                f"{x.phantoms} keys in {x.store} were sent by nobody this drill knows: its records are not complete"
            )
        if history.survivors is not None:
            yield from _in_time(x, found)
    unread_stores = sorted(set(ops["store"].drop_nulls().unique().to_list()) - set(STORES))
    if unread_stores:
        yield Doubt(f"writes went to {', '.join(unread_stores)}, whose survivors nobody here can read")
    yield from _unhealed(history)
    unknown = _unread_kinds(ops)
    if unknown:
        yield Doubt(
            f"nobody read what survived of acknowledged {', '.join(unknown)}: they belong to no store known here"
        )
    if history.survivors is not None:
        yield from _in_place(history, history.survivors, ops, found)
        yield from _with_content(completed(history.survivors, SURVIVORS_SCHEMA), ops)


def _unhealed(history: History) -> Iterator[Doubt]:
    healed = history.first_mark("fault.healed")
    last_ns = None if history.survivors is None else history.survivors["at_ns"].max()
    if healed is not None and isinstance(last_ns, int) and last_ns > healed.at_ns:
        yield Doubt("survivors were read after the fault was healed: what was lost may have come back", Figures.LOSS)


def _unread_kinds(ops: pl.DataFrame) -> list[str]:
    """Kinds of op that were acknowledged, name no store, and are neither a read nor what a store is known by."""
    acked = ops.lazy().filter((pl.col("outcome") == "ok") & pl.col("store").is_null())
    kinds = acked.select(pl.col("op").unique()).collect()["op"].to_list()
    return sorted(k for k in set(kinds) - set(STORES.values()) if not str(k).startswith(READS))


def _in_time(x: Ledger, found: Measurements) -> Iterator[Doubt]:
    if x.acked and not x.read:
        yield Doubt(f"no key of {x.store} survived, or its survivors were not read")
    if x.read_ns is None:
        return
    if found.times.effective_ns is not None and x.read_ns < found.times.effective_ns:
        yield Doubt(f"the survivors of {x.store} were read before the fault took effect", Figures.LOSS)
    if x.last_acked_ns is not None and x.read_ns < x.last_acked_ns:
        early_s = (x.last_acked_ns - x.read_ns) / NS
        yield Doubt(
            f"the survivors of {x.store} were read {early_s:.3f} s before its last write was acknowledged", Figures.LOSS
        )


def _in_place(history: History, survivors: pl.DataFrame, ops: pl.DataFrame, found: Measurements) -> Iterator[Doubt]:
    read = {m.subject for m in history.marks or () if m.event == "survivors.read" and m.subject}
    if "region" in survivors.columns:
        read |= set(survivors["region"].drop_nulls().unique().to_list())
    if not read or found.times.effective_ns is None:
        return
    serves = serving_region(ops.filter(pl.col("began_ns") > found.times.effective_ns), found.times.end_ns)
    if serves is None:
        yield Doubt(
            "no write acknowledged after the fault says which region serves, so survivors may be another's",
            Figures.LOSS,
        )
    elif elsewhere := sorted(read - {serves}):
        yield Doubt(f"the survivors were read in {', '.join(elsewhere)}, but {serves} serves", Figures.LOSS)


def _with_content(survivors: pl.DataFrame, ops: pl.DataFrame) -> Iterator[Doubt]:
    """What was acknowledged with its content was read with its content, and the other way round."""
    known = pl.col("content").is_not_null()
    if ops["content"].null_count() == ops.height:
        return
    acked = ops.select("op", "key", "outcome", "content").filter((pl.col("outcome") == "ok") & (pl.col("op") != "read"))
    for one, other, what in (
        (survivors, acked, "survivors were read"),
        (acked, survivors, "acknowledged writes were recorded"),
    ):
        blank = one.filter(~known).join(other.filter(known), on="key", how="semi").height
        if blank:
            yield Doubt(
                f"{blank} {what} without their content, so nobody compared what survived with what was acknowledged"
            )
