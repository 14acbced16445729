"""Replication lag while all was well, from heartbeats; beside it what the engine and CloudWatch claim, and how far off."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from drill.history import NS
from drill.measure.times import Times
from drill.measurement import Measurement

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST = 5
"""Fewer heartbeats than this say nothing of a distribution."""
Z = 1.96
NAMES = {"aurora": "lag", "s3": "lag_s3"}
SILENCE_S = 0.25
"""Between two looks that lie farther apart than this, what may have been meanwhile is told beside what they saw."""
CLAIMS = ("engine_lag", "cloudwatch_lag")
"""Who claims: the samples are called <claim>_s. One claim is a claim: CloudWatch makes one a minute."""


@dataclass(frozen=True, slots=True)
class LagReadings:
    """What heartbeats say, look by look: the lag was at least `least` and at most `most`.

    `silent`: the share of the time in which there were none for longer than SILENCE_S, the time before the first and
    behind the last one included; `unobserved_s`: how far behind the copy may have fallen meanwhile.
    """

    least: Floats
    most: Floats
    silent: float
    unobserved_s: float

    def raised(self, upper_s: float, share: float) -> float:
        """An upper bound of what holds for `share` of the time, all of it if that much was not silent."""
        return max(upper_s, self.unobserved_s) if self.silent > 1 - share else upper_s


def lag(samples: pl.DataFrame | None, times: Times) -> list[Measurement]:
    """lag_p50_s, lag_p95_s, lag_p99_s, lag_max_s of the database, the same of the object store (lag_s3_...), and for
    each claim its p99 (engine_lag_p99_s) and what that is more than the heartbeats' (engine_lag_difference_s).

    Taken from drill.baseline until the first disturbance; lag_worst_s reaches on to the fault.
    """
    found: list[Measurement] = []
    for subject, prefix in NAMES.items():
        steady = _readings(samples, subject, times.baseline_ns, times.steady_until_ns)
        found += _distribution(prefix, subject, steady)
        whole = _readings(samples, subject, times.baseline_ns, times.effective_ns)
        name = f"{prefix}_worst_s"
        if isinstance(whole, str):
            found.append(Measurement.unknown(name, "s", whole))
        else:
            because = f"of {whole.least.size} heartbeats of {subject} until the fault, disturbances included"
            worst, most = float(whole.least.max()), whole.raised(float(whole.most.max()), 1.0)
            found.append(Measurement(name, worst, worst, most, "s", because, "heartbeats"))
    measured = next(m for m in found if m.name == "lag_p99_s")
    for claim in CLAIMS:
        found += _claim(
            claim, _read(samples, f"{claim}_s", None, times.baseline_ns, times.steady_until_ns, 1), measured
        )
    return found


def _distribution(prefix: str, subject: str, steady: LagReadings | str) -> list[Measurement]:
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    if isinstance(steady, str):
        return [Measurement.unknown(f"{prefix}_{word}_s", "s", steady) for word in shares]
    # the k-th of the truths lies between the k-th of their least and the k-th of their most values
    least, most = np.sort(steady.least), np.sort(steady.most)
    n = least.size
    found = []
    for word, share in shares.items():
        spread = Z * math.sqrt(n * share * (1 - share))
        ranks = (math.ceil(n * share - spread), math.ceil(n * share), math.ceil(n * share + spread) + (share < 1))
        low, middle, high = (min(max(r, 1), n) - 1 for r in ranks)
        because = f"of {n} heartbeats of {subject} from the baseline to the first disturbance"
        value, upper = float(least[middle]), steady.raised(float(most[high]), share)
        if upper > most[high]:
            because += f", none in {steady.silent:.0%} of that time"
        # a heartbeat that never arrives at all is no matter of rank
        lower = value if math.isinf(value) else float(least[low])
        found.append(Measurement(f"{prefix}_{word}_s", value, lower, upper, "s", because, "heartbeats"))
    return found


def _claim(claim: str, claimed: pl.DataFrame | str, measured: Measurement) -> list[Measurement]:
    """What is claimed, and how much more than measured that is; neither is judged."""
    metric, name, difference = f"{claim}_s", f"{claim}_p99_s", f"{claim}_difference_s"
    if isinstance(claimed, str):
        return [Measurement.unknown(n, "s", claimed) for n in (name, difference)]
    p99 = float(np.quantile(claimed["value"].to_numpy(), 0.99, method="higher"))
    shown = Measurement.exact(name, p99, "s", f"p99 of the {claimed.height} times that {metric} was read", metric)
    value, lower, upper = measured.value, measured.lower, measured.upper
    if value is None or lower is None or upper is None or math.isinf(value) or math.isinf(p99):
        return [shown, Measurement.unknown(difference, "s", f"heartbeats tell no lag: {measured.because}")]
    because = f"it claims {p99:.3f} s, heartbeats say {value:.3f} s and at most {upper:.3f} s"
    return [shown, Measurement(difference, p99 - value, p99 - upper, p99 - lower, "s", because, metric)]


def _readings(samples: pl.DataFrame | None, subject: str, from_ns: int | None, to_ns: int | None) -> LagReadings | str:
    """The heartbeats of that time, or why there is no trusting them."""
    found = _read(samples, "replication_lag_s", subject, from_ns, to_ns, LEAST)
    if isinstance(found, str):
        return found
    assert samples is not None
    if (found["value"] < 0).any():
        return f"replication_lag_s of {subject} is negative: the clocks of writer and reader do not agree"
    told = samples.filter((pl.col("metric") == "replication_lag_upper_s") & (pl.col("subject") == subject))
    told = told.group_by("at_ns").agg(most=pl.col("value").max())
    # where a probe did not say how finely it saw: what was shown at a look was written after the look before it
    gaps = found["at_ns"].diff().fill_null(strategy="backward").to_numpy() / NS
    both = found.join(told, on="at_ns", how="left", maintain_order="left")
    least, most = both["value"].to_numpy(), both["most"].to_numpy()
    most = np.maximum(least, np.where(np.isnan(most), least + gaps, most))
    assert from_ns is not None
    assert to_ns is not None
    before = samples.filter(
        (pl.col("metric") == "replication_lag_s") & (pl.col("subject") == subject) & (pl.col("at_ns") < from_ns)
    )["at_ns"].max()
    return LagReadings(least, most, *_silence(found["at_ns"].to_numpy(), most, from_ns, to_ns, before))


def _silence(at_ns: Ints, most: Floats, from_ns: int, to_ns: int, before_ns: object) -> tuple[float, float]:
    """The share of [from_ns, to_ns] that is silent, and the most that the lag may have been in it, in seconds.

    A copy never takes back what it has shown: in a silence it falls behind by no more than its length.
    """
    heard = before_ns is not None
    first_ns = before_ns if isinstance(before_ns, int) else from_ns
    times, at = np.unique(at_ns, return_index=True)
    edges: Ints = np.concatenate((np.array([first_ns]), times, np.array([to_ns])))
    gaps = np.diff(edges) / NS
    within = np.diff(np.maximum(edges, from_ns)) / NS
    known = np.concatenate(([most[0] if heard else math.inf], most[at]))
    silent = gaps > SILENCE_S
    if not silent.any():
        return 0.0, 0.0
    return float(within[silent].sum() / max(within.sum(), 1e-9)), float((known + gaps)[silent].max())


def _read(
    samples: pl.DataFrame | None, metric: str, subject: str | None, from_ns: int | None, to_ns: int | None, least: int
) -> pl.DataFrame | str:
    """The samples of that time in their order, or why there is no trusting them."""
    if samples is None:
        return "there are no samples"
    if from_ns is None or to_ns is None:
        return "there are no marks of a baseline and a fault"
    wanted = pl.col("metric") == metric
    if subject is not None:
        wanted &= pl.col("subject") == subject
    found = samples.filter(wanted & (pl.col("at_ns") >= from_ns) & (pl.col("at_ns") <= to_ns))
    what = f"{metric} of {subject}" if subject else metric
    if found.height < least:
        return f"{found.height} samples of {what} in the time that counts, at least {least} needed"
    if bad := int(found["value"].fill_null(math.nan).is_nan().sum()):
        return f"{bad} of {found.height} samples of {what} are not a number"
    return found.sort("at_ns", "value")
