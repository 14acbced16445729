"""Replication lag while all was well, from heartbeats; beside it what the engine and CloudWatch claim."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import polars as pl

from drill.measure.times import Times
from drill.measurement import Measurement

Floats = npt.NDArray[np.float64]

LEAST = 5
"""Fewer heartbeats than this say nothing of a distribution."""
Z = 1.96
NAMES = {"aurora": "lag", "s3": "lag_s3"}
CLAIMS = {"engine_lag_p99_s": "engine_lag_s", "cloudwatch_lag_p99_s": "cloudwatch_lag_s"}


def lag(samples: pl.DataFrame | None, times: Times) -> list[Measurement]:
    """lag_p50_s, lag_p95_s, lag_p99_s, lag_max_s of the database, the same of the object store (lag_s3_...), claims.

    Taken from drill.baseline until the first disturbance; lag_worst_s reaches on to the fault.
    """
    found: list[Measurement] = []
    for subject, prefix in NAMES.items():
        steady, why = _values(samples, "replication_lag_s", subject, times.baseline_ns, times.steady_until_ns)
        found += _distribution(prefix, subject, steady, why)
        whole, why = _values(samples, "replication_lag_s", subject, times.baseline_ns, times.effective_ns)
        name = f"{prefix}_worst_s"
        if whole is None:
            found.append(Measurement.unknown(name, "s", why))
        else:
            because = f"of {whole.size} heartbeats of {subject} until the fault, disturbances included"
            found.append(Measurement.exact(name, float(whole.max()), "s", because, "heartbeats"))
    measured = next(m for m in found if m.name == "lag_p99_s")
    for name, metric in CLAIMS.items():
        claimed, why = _values(samples, metric, None, times.baseline_ns, times.steady_until_ns)
        if claimed is None:
            found.append(Measurement.unknown(name, "s", why))
            continue
        p99 = float(np.quantile(claimed, 0.99, method="higher"))
        beside = "" if measured.value is None else f"; heartbeats say {measured.value - p99:+.3f} s beside it"
        found.append(Measurement.exact(name, p99, "s", f"as {metric} claims{beside}", metric))
    return found


def _distribution(prefix: str, subject: str, steady: Floats | None, why: str) -> list[Measurement]:
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    if steady is None:
        return [Measurement.unknown(f"{prefix}_{word}_s", "s", why) for word in shares]
    ordered = np.sort(steady)
    n = ordered.size
    found = []
    for word, share in shares.items():
        spread = Z * math.sqrt(n * share * (1 - share))
        ranks = [math.ceil(n * share - spread), math.ceil(n * share), math.ceil(n * share + spread) + (share < 1)]
        lower, value, upper = (float(ordered[min(max(r, 1), n) - 1]) for r in ranks)
        because = f"of {n} heartbeats of {subject} from the baseline to the first disturbance"
        found.append(Measurement(f"{prefix}_{word}_s", value, lower, upper, "s", because, "heartbeats"))
    return found


def _values(
    samples: pl.DataFrame | None, metric: str, subject: str | None, from_ns: int | None, to_ns: int | None
) -> tuple[Floats | None, str]:
    """The samples of that time, or None and why there is no trusting them."""
    if samples is None:
        return None, "there are no samples"
    if from_ns is None or to_ns is None:
        return None, "there are no marks of a baseline and a fault"
    wanted = pl.col("metric") == metric
    if subject is not None:
        wanted &= pl.col("subject") == subject
    found = samples.filter(wanted & (pl.col("at_ns") >= from_ns) & (pl.col("at_ns") <= to_ns))["value"].to_numpy()
    what = f"{metric} of {subject}" if subject else metric
    if found.size < LEAST:
        return None, f"{found.size} samples of {what} in the time that counts, at least {LEAST} are needed"
    if np.isnan(found).any():
        return None, f"{int(np.isnan(found).sum())} of {found.size} samples of {what} are not a number"
    if (found < 0).any():
        return None, f"{what} is negative: the clocks of writer and reader do not agree"
    return found, ""
