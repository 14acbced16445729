"""Raw ops to what a timeline draws: requests a second by what came of them, latency quantiles, in even time steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from drill.history import NS

Series = NDArray[np.float64]
STEPS_S = (0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0)
RANKS = {"fail": 3, "unknown": 2, "late": 1}


@dataclass(frozen=True, slots=True)
class Buckets:
    """Steps between `edges_s` (s on the history's clock, one more than there are steps); each series has one value a step."""

    edges_s: Series
    per_second: dict[str, Series]  # "good <region>", "late", "failed", "unknown", requests a second
    p50_s: Series
    p99_s: Series


def requests(ops: pl.DataFrame, deadline_s: float | None) -> pl.DataFrame:
    """One row a request (an order with a receipt is two ops) with its worst outcome as `what` and its latency.

    An answer is good within the deadline, counted from the intended start; a later one is *late*.
    """
    took = (pl.col("ended_ns") - pl.col("intended_ns")) / NS
    late = (pl.col("outcome") == "ok") & (took > (deadline_s if deadline_s is not None else float("inf")))
    what = pl.when(late).then(pl.lit("late")).otherwise(pl.col("outcome"))
    return (
        ops.with_columns(took_s=took, rank=what.replace_strict(RANKS, default=0, return_dtype=pl.Int8))
        .sort("rank", descending=True)
        .unique(["cohort", "key", "intended_ns", "began_ns"], keep="first", maintain_order=True)
        .with_columns(
            what=pl.when(pl.col("rank") == 0)
            .then(pl.lit("good ") + pl.col("region").fill_null("?"))
            .otherwise(
                pl.col("rank").replace_strict(
                    {3: "failed", 2: "unknown", 1: "late"}, default=None, return_dtype=pl.String
                )
            )
        )
        .select("intended_ns", "what", "took_s")
    )


def bucket(ops: pl.DataFrame, deadline_s: float | None = None, *, columns: int = 240) -> Buckets | None:
    """Count requests by the time they were *intended* to start, so that a stalled generator hides nothing.

    None where there are no ops. The step is the smallest of STEPS_S that needs no more than `columns` steps and holds
    about twenty requests, but never coarser than a quarter of `columns` where there are few.
    """
    if ops.is_empty():
        return None
    found = requests(ops, deadline_s)
    first, last = int(found["intended_ns"].min()), int(found["intended_ns"].max())  # type: ignore[arg-type]
    # What was driven ends one arrival interval after the last request, not at it.
    span_s = max((last - first) / NS * (1 + 1 / max(found.height - 1, 1)), 0.1)
    wanted = max(span_s / columns, min(20 * span_s / found.height, span_s / (columns / 4)))
    step = next((s for s in STEPS_S if s >= wanted), wanted)
    # A remainder of less than half a step joins the step before it: a sliver's rate would be noise.
    n = max(int(span_s / step + 0.5), 1)
    edges = first / NS + step * np.arange(n + 1, dtype=np.float64)
    edges[-1] = first / NS + max(span_s, step * (n - 1) + 0.5 * step)
    width = np.diff(edges)
    placed = found.with_columns(at=((pl.col("intended_ns") - first) // int(step * NS)).clip(0, n - 1))
    per_second: dict[str, Series] = {}
    for (what,), rows in placed.group_by("what"):
        counts = np.bincount(rows["at"].to_numpy(), minlength=n).astype(np.float64)
        per_second[str(what)] = counts / width
    p50, p99 = np.full(n, np.nan), np.full(n, np.nan)
    latency = placed.group_by("at").agg(
        p50=pl.col("took_s").quantile(0.5), p99=pl.col("took_s").quantile(0.99, interpolation="higher")
    )
    p50[latency["at"].to_numpy()] = latency["p50"].to_numpy()
    p99[latency["at"].to_numpy()] = latency["p99"].to_numpy()
    return Buckets(edges, per_second, p50, p99)
