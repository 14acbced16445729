"""Was service steady before the fault, and seen for long enough to say so?"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from drill.history import NS
from drill.measure import Measurements
from drill.measure.chance import binomial_tail
from drill.measure.outage import find_outages
from drill.measure.requests import Requests
from drill.objective import Objectives
from drill.proof.doubt import Doubt

CHANCE = 0.01
LEAST = 10
INSTANTS = 400
MOST_REQUESTS = 200_000
"""Requests before the fault of which it is asked how many were open at once."""
EARLIER = 0.75
"""The first part of the baseline, with which the moment of the fault is compared."""
SPARE = 2
"""So many more than ever may be open by chance."""
MOST = 1000
"""What is demanded of an availability of 1 too, which no number of requests can show."""


def needed_requests(objectives: Objectives) -> int:
    """How many requests show an availability: of fewer than 1 / allowance, one failure alone is more than it allows."""
    allowance = max(objectives.allowance, 1 / MOST)
    return max(LEAST, math.ceil(1 / allowance - 1e-6))


def steady_before(found: Measurements, objectives: Objectives) -> Iterator[Doubt]:
    """From drill.baseline to fault.begin: long enough, good enough for every cohort, and never down."""
    times = found.times
    if times.baseline_ns is None:
        yield Doubt("no steady state before the fault: there is no drill.baseline mark")
        return
    if times.begin_ns is None:
        return
    before = found.requests.between(times.baseline_ns, times.begin_ns).untouched()
    needed = needed_requests(objectives)
    if len(before) < needed:
        yield Doubt(
            f"no steady state before the fault: {len(before)} requests, at least {needed} are needed to show an "
            f"availability of {objectives.availability:g}"
        )
        return
    lasted_s = (times.begin_ns - times.baseline_ns) / NS
    if lasted_s < objectives.window_s:
        yield Doubt(
            f"no steady state before the fault: it was watched for {lasted_s:.1f} s, less than one window of "
            f"{objectives.window_s:g} s"
        )
        return
    who = [("", before)]
    if len(before.cohorts) > 1:
        who += [(f" for the cohort {c}", before.of_cohort(c)) for c in before.cohorts]
    for name, part in who:
        failed, n = int(part.bad.sum()), len(part)
        if failed > objectives.allowance * n and binomial_tail(failed, n, objectives.allowance) < CHANCE:
            yield Doubt(f"no steady state before the fault{name}: {failed} of {n} requests failed")
            return
    window_ns = round(objectives.window_s * NS)
    outages = find_outages(before.due_ns, before.bad, before.stratum, objectives.allowance, window_ns)
    if outages.found:
        yield Doubt("no steady state before the fault: service was down for a while")
    elif sentence := _piled_up(found.requests, times.baseline_ns, times.begin_ns):
        yield Doubt(f"no steady state before the fault: {sentence}")
    elif outages.suspect is not None:
        yield Doubt("no steady state before the fault: the last requests before it failed or hung already")


def _piled_up(every: Requests, baseline_ns: int, begin_ns: int) -> str | None:
    """Whether far more requests were open when the fault struck than at any time before: they hung already.

    This needs no usual time of an answer, which one slow kind of request makes long.
    """
    due = every.due_ns[: np.searchsorted(every.due_ns, begin_ns)][-MOST_REQUESTS:]
    if not due.size:
        return None
    ended = every.ended_ns[: np.searchsorted(every.due_ns, begin_ns)][-MOST_REQUESTS:]
    ended = np.sort(ended)
    first = max(baseline_ns, int(due[0]))
    instants = np.linspace(first, first + EARLIER * (begin_ns - first), INSTANTS)
    open_then = np.searchsorted(due, instants) - np.searchsorted(ended, instants)
    most, now = int(open_then.max()), int(due.size - np.searchsorted(ended, begin_ns))
    if now > most + SPARE + math.sqrt(most):
        return f"{now} requests were open when it struck, at most {most} at any time before"
    return None
