"""Which region serves: the one that most of the last acknowledged writes name, since a straggler may name another."""

from __future__ import annotations

import polars as pl

LAST = 20
"""So many acknowledged writes decide."""


def serving_region(ops: pl.DataFrame, until_ns: int | None = None) -> str | None:
    """The region that served when the last writes were acknowledged, of those sent until `until_ns`.

    None where no acknowledged write names a region.
    """
    named = (pl.col("op") != "read") & (pl.col("outcome") == "ok") & pl.col("region").is_not_null()
    if until_ns is not None:
        named &= pl.col("began_ns") <= until_ns
    last = ops.lazy().filter(named).select("region", "began_ns", "key").top_k(LAST, by=["began_ns", "key"])
    found = last.group_by("region").len("n").sort("n", "region").collect()
    return None if found.is_empty() else str(found["region"][-1])
