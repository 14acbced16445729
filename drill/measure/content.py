"""Do the survivors hold what was acknowledged? Contents are compared by their checksums (drill.content)."""

from __future__ import annotations

import polars as pl

FOUND = ["key", "content"]


def wrong_keys(
    store: str, ops: pl.DataFrame, acked: pl.Series, doubtful: pl.Series, survivors: pl.DataFrame | None
) -> int | None:
    """How many acknowledged keys are in `store` with a content that nobody can have written; None if none is known.

    `acked` and `doubtful` say which ops wrote, and which may have written, to that store. Of a key that was written more
    than once any of the contents is right, and any at all where one of them is not known.
    """
    if survivors is None or _unknown(ops) or _unknown(survivors):
        return None
    kept = survivors.select(FOUND).filter((survivors["store"] == store) & (survivors["copies"] > 0)).drop_nulls()
    writes = ops.select(FOUND).filter(acked | doubtful)
    others = kept.join(writes, on=FOUND, how="anti")
    promised = others.join(ops.select("key").filter(acked), on="key", how="semi")
    return promised.join(writes.filter(pl.col("content").is_null()), on="key", how="anti")["key"].n_unique()


def _unknown(frame: pl.DataFrame) -> bool:
    return "content" not in frame.columns or frame["content"].null_count() == frame.height
