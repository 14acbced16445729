"""How bad, in sum: time down, time degraded, requests failed, error budget spent, latency before and after."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import polars as pl

from drill.history import NS
from drill.measure.outage import Outage, Outages, find_outages
from drill.measure.requests import Requests
from drill.measure.rto import Recovered, up_by_ns
from drill.measure.times import Times
from drill.measurement import Measurement
from drill.objective import Objectives

Ints = npt.NDArray[np.int64]


def downtime(whole: Recovered, times: Times, objectives: Objectives, clock_s: float = 0.0) -> list[Measurement]:
    """downtime_s, degraded_s, failed_requests, error_budget, of the requests since the fault.

    `clock_s`: the uncertainty between clocks, by which each edge of each outage may be off.
    """
    seen = whole.requests
    if whole.rto.value is None or times.end_ns is None:
        why = whole.rto.because
        units = {"downtime_s": "s", "degraded_s": "s", "failed_requests": "requests", "error_budget": "ratio"}
        return [Measurement.unknown(name, unit, why) for name, unit in units.items()]
    begin_ns = times.begin_ns if times.begin_ns is not None else 0
    deadline_ns = objectives.deadline_ns
    value, lower, upper = time_down(seen, whole.outages, begin_ns, times.end_ns, deadline_ns)
    count = len(whole.outages.found)
    lower, upper = max(0.0, lower - 2 * count * clock_s), upper + 2 * count * clock_s
    down = Measurement(
        "downtime_s", value, lower, upper, "s", f"{count} outages in all" if count != 1 else "one outage", "requests"
    )
    window_ns = round(objectives.window_s * NS)
    refused = find_outages(seen.due_ns, seen.bad & ~seen.late, seen.stratum, objectives.allowance, window_ns)
    refused_s, refused_lower, refused_upper = time_down(seen, refused, begin_ns, times.end_ns, deadline_ns)
    off_s = 2 * len(refused.found) * clock_s
    refused_lower, refused_upper = max(0.0, refused_lower - off_s), refused_upper + off_s
    degraded = Measurement(
        "degraded_s",
        max(0.0, value - refused_s),
        max(0.0, lower - refused_upper),
        max(0.0, upper - refused_lower),
        "s",
        f"answers came, but later than {objectives.deadline_s:g} s; for {refused_s:.3f} s there was no answer at all",
        "requests",
    )
    failed, n = int(seen.bad.sum()), len(seen)
    late = int(seen.late.sum())
    lost = Measurement.exact(
        "failed_requests", failed, "requests", f"of {n} since the fault; {late} of them were answered, but too late"
    )
    return [down, degraded, lost, _budget(failed, n, objectives)]


def latency(ops: pl.DataFrame, times: Times) -> list[Measurement]:
    """latency_p99_before_s and latency_p99_after_s: what an acknowledged op took, from its intended start."""
    found = []
    spans = {
        "latency_p99_before_s": (times.baseline_ns, times.begin_ns, "before the fault"),
        "latency_p99_after_s": (times.effective_ns, times.end_ns, "since the fault"),
    }
    for name, (from_ns, to_ns, when) in spans.items():
        if from_ns is None or to_ns is None:
            found.append(Measurement.unknown(name, "s", f"there are no marks for the time {when}"))
            continue
        took = (
            ops.select("outcome", "intended_ns", "ended_ns")
            .filter((pl.col("outcome") == "ok") & (pl.col("intended_ns") >= from_ns) & (pl.col("ended_ns") <= to_ns))
            .select((pl.col("ended_ns") - pl.col("intended_ns")).quantile(0.99, "higher"))
        )
        value = took.item()
        if value is None:
            found.append(Measurement.unknown(name, "s", f"no op was acknowledged {when}"))
        else:
            found.append(Measurement.exact(name, float(value) / NS, "s", f"of acknowledged ops {when}"))
    return found


def _budget(failed: int, n: int, objectives: Objectives) -> Measurement:
    allowed = objectives.allowance * n
    spent = failed / allowed if allowed > 0 else (math.inf if failed else 0.0)
    because = f"{failed} requests failed where {objectives.availability:.4g} of {n} allows {allowed:.1f}"
    return Measurement.exact("error_budget", spent, "ratio", because, "requests since the fault")


def time_down(
    seen: Requests, outages: Outages, begin_ns: int, end_ns: int, deadline_ns: int
) -> tuple[float, float, float]:
    """(value, lower, upper) in seconds: the union of all outages, each from its first bad to its first good request.

    None begins before the fault. A bad request shows at its answer, at its deadline at the latest, that service was
    down; a good one shows with its answer that service was up. Both may have been under way for a while.
    """
    if not outages.found:
        return 0.0, 0.0, 0.0
    due = seen.due_ns

    def down_by(o: Outage) -> int:
        own = slice(o.begins_before, o.last_bad + 1)
        known = np.minimum(seen.ended_ns[own], due[own] + deadline_ns)[seen.bad[own]]
        return max(begin_ns, int(known.min()) if known.size else int(due[o.first_bad]))

    def begun(o: Outage) -> int:
        return max(begin_ns, int(due[o.first_bad]))

    def still_up(o: Outage) -> int:
        return begin_ns if o.begins_after is None else max(begin_ns, int(due[o.begins_after]))

    def ended(o: Outage) -> int:
        return end_ns if o.first_good is None else int(due[o.first_good])

    def up_by(o: Outage) -> int:
        return end_ns if o.ends_before is None else up_by_ns(seen, o)

    found = outages.found
    value = _union([(begun(o), ended(o)) for o in found])
    lower = _union([(down_by(o), int(due[o.ends_after])) for o in found])
    upper = _union([(still_up(o), up_by(o)) for o in found])
    return value, min(lower, value), max(upper, value)


def _union(spans: list[tuple[int, int]]) -> float:
    total, reached = 0, -(2**62)
    for a, b in sorted(spans):
        total += max(0, b - max(a, reached))
        reached = max(reached, b)
    return total / NS
