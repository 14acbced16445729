"""Writes acknowledged before they were durable: lost, although the copy that survived had shown a later heartbeat.

A copy that has shown a heartbeat holds every transaction that committed before that heartbeat was sent: the engine's log
keeps the order of commits (https://www.postgresql.org/docs/16/warm-standby.html#STREAMING-REPLICATION). A row that was
acknowledged earlier than that and is gone was not lost by replication lag. Objects are replicated in no order, so nothing
of the kind can be said of them (https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication.html).
"""

from __future__ import annotations

import polars as pl

from drill.history import NS
from drill.measure.ledger import Ledger
from drill.measure.times import Times
from drill.measurement import Measurement

ORDERED = "aurora"
"""The store whose copies keep the order of commits."""
BASIS = "lost rows against the heartbeats that the copy had shown"


def shown_ns(samples: pl.DataFrame | None, times: Times) -> int | None:
    """When the newest heartbeat was sent that the copy showed, of those sent before the fault: later ones may be of another
    writer. None where no probe said how much it had proved."""
    if samples is None or times.begin_ns is None:
        return None
    told = samples.filter((pl.col("metric") == "replication_lag_upper_s") & (pl.col("subject") == ORDERED))
    told = told.filter(pl.col("value").is_finite() & (pl.col("value") >= 0))
    sent = told["at_ns"] - (told["value"] * NS).round().cast(pl.Int64)
    newest = sent.filter(sent < times.begin_ns).max()
    return newest if isinstance(newest, int) else None


def early_acks(ledger: Ledger) -> Measurement:
    """How many lost rows replication lag cannot explain."""
    name = "early_acks"
    if not ledger.read:
        return Measurement.unknown(name, "writes", "the survivors were not read", BASIS)
    if ledger.early is None:
        return Measurement.unknown(name, "writes", "no heartbeat says what the copy was proved to hold", BASIS)
    because = "acknowledged, lost, and older than anything that replication lag can have cost"
    return Measurement.exact(name, ledger.early, "writes", because, BASIS)
