"""How long service was down in an outage that nobody here caused: from when clients felt it to when they were served again.

When the fault began is not known: it may have been there before anybody felt it, so no recovery time follows from an outage's
length. What follows is downtime. Each end has its bracket: service was surely down from the first bad answer on, and surely up
when the last good request before it was due.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from drill.history import NS, Mark
from drill.measure.downtime import time_down
from drill.measure.outage import Outage, Outages, find_outages
from drill.measure.requests import Requests
from drill.measure.rto import up_by_ns
from drill.measure.times import Times
from drill.measurement import Measurement
from drill.objective import Objectives

EVENT = "observation.begin"
"""Marks a drill that breaks nothing and watches."""
BASIS = "requests by intended start, since the baseline"


def is_observation(marks: Iterable[Mark] | None) -> bool:
    """Whether the drill caused nothing."""
    return any(mark.event == EVENT for mark in marks or ())


def observed(requests: Requests, times: Times, objectives: Objectives, clock_s: float = 0.0) -> list[Measurement]:
    """outage_s (the longest one), outages, downtime_s and failed_requests between drill.baseline and drill.end.

    `clock_s` is the uncertainty between clocks.
    """
    units = {"outage_s": "s", "outages": "outages", "downtime_s": "s", "failed_requests": "requests"}
    if times.baseline_ns is None or times.end_ns is None:
        missing = "drill.baseline" if times.baseline_ns is None else "drill.end"
        return [Measurement.unknown(name, unit, f"there is no {missing} mark", BASIS) for name, unit in units.items()]
    begin_ns, end_ns = times.baseline_ns, times.end_ns
    seen = requests.between(begin_ns, end_ns)
    if not len(seen):
        why = "no request was due while it was observed"
        return [Measurement.unknown(name, unit, why, BASIS) for name, unit in units.items()]
    window_ns = round(objectives.window_s * NS)
    outages = find_outages(seen.due_ns, seen.bad, seen.stratum, objectives.allowance, window_ns)
    count = len(outages.found)
    value, lower, upper = time_down(seen, outages, begin_ns, end_ns, objectives.deadline_ns)
    blur_s = 2 * count * clock_s
    told = f"{count} outages in all" if count != 1 else "one outage"
    lower, upper = max(0.0, lower - blur_s), upper + blur_s
    return [
        _longest(seen, outages, begin_ns, objectives, clock_s),
        Measurement.exact("outages", count, "outages", "that cannot be chance", BASIS),
        Measurement("downtime_s", value, lower, upper, "s", told, BASIS),
        Measurement.exact(
            "failed_requests", int(seen.bad.sum()), "requests", f"of {len(seen)} since the baseline", BASIS
        ),
    ]


def _longest(seen: Requests, outages: Outages, begin_ns: int, objectives: Objectives, clock_s: float) -> Measurement:
    if not outages.found:
        return Measurement.unknown("outage_s", "s", "no outage that cannot be chance was seen", BASIS)
    each = [_length(seen, o, begin_ns, objectives.deadline_ns) for o in outages.found]
    value, lower, upper, since_s = max(each)
    over = "it went on to the end of observation" if math.isinf(value) else "from its first bad request on"
    because = f"the longest of {len(each)}, felt {since_s:.1f} s after the baseline began, {over}"
    if outages.suspect is not None:
        upper, because = math.inf, f"{because}, but the last requests failed again"
    return Measurement("outage_s", value, max(0.0, lower - 2 * clock_s), upper + 2 * clock_s, "s", because, BASIS)


def _length(seen: Requests, outage: Outage, begin_ns: int, deadline_ns: int) -> tuple[float, float, float, float]:
    """(value, lower, upper, since when) in seconds; infinite where it went on to the end."""
    due = seen.due_ns
    own = slice(outage.begins_before, outage.last_bad + 1)
    known = np.minimum(seen.ended_ns[own], due[own] + deadline_ns)[seen.bad[own]]
    down_by = int(known.min()) if known.size else int(due[outage.first_bad])
    still_up = begin_ns if outage.begins_after is None else int(due[outage.begins_after])
    since_s = (int(due[outage.first_bad]) - begin_ns) / NS
    lower = max(0.0, (int(due[outage.ends_after]) - down_by) / NS)
    if outage.first_good is None:
        return math.inf, lower, math.inf, since_s
    value = (int(due[outage.first_good]) - int(due[outage.first_bad])) / NS
    upper = math.inf if outage.ends_before is None else (up_by_ns(seen, outage) - still_up) / NS
    return value, min(lower, value), max(upper, value), since_s
