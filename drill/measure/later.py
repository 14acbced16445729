"""Whether some requests were back only after service as a whole seemed to be: a phase too mild to be told apart.

Behind the end of the last outage a few failures may be chance, or the rest of the outage: one kind of client that came back
later, one kind of op, a minority of requests. What cannot be called an outage must not vanish either: where the failures
that follow are likelier in such a phase than by chance, the end may be as late as its end may be.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from drill.measure.edges import NEARLY
from drill.measure.outage import BACKGROUND, MILDEST
from drill.measure.requests import Requests

POSSIBLE = 1.7
"""There may have been such a phase where it explains the failures better than chance by a factor of e to this: one failure
among the first fifteen requests. More is too little to find what is mild, less takes every chance failure for a phase."""
CLOSING = 0.7
"""It is over once good requests speak against it by this part of what its failures speak for it: what hardly began ends soon.
POSSIBLE and CLOSING weigh staged recoveries that are covered against others that are needlessly unproven; what came of it
is asserted by tests/drill/test_unseen.py (2,000 histories each in `make nightly`)."""
FEW = 3
"""Fewer failures than this do not say that a kind of request never came back."""
AT_FIRST = 4096
"""So many requests are looked at, and more only where a phase reaches into their second half."""

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def latest_end(seen: Requests, first: int, allowance: float) -> int | None:
    """The index of the request by which any phase that follows request `first` (the first good one) is over; else None.

    `len(seen)` where some kind of request mostly fails to the end. What is milder is over at the last one: a shortfall that
    lasts is an outage by itself.
    """
    until = first + AT_FIRST
    while True:
        latest = _latest(seen, first, min(until, len(seen)), allowance)
        if until >= len(seen) or latest is None or latest < (first + until) // 2:
            return latest
        until = first + 2 * (until - first)


def _latest(seen: Requests, first: int, until: int, allowance: float) -> int | None:
    latest: int | None = None
    for own in _parts(seen, first, until):
        end = _end(seen.bad[own], allowance)
        if end is not None:
            latest = max(latest or 0, int(own[end]) if end < own.size else len(seen))
    return latest


def _parts(seen: Requests, first: int, until: int) -> Iterator[Ints]:
    """All requests from `first` to `until`; then those of each cohort, each kind, and each kind of each cohort."""
    bad = seen.bad[first:until]
    if not bad.any():
        return
    behind = np.arange(first, until)
    yield behind
    stratum = seen.stratum[first:until]
    kinds = max(1, len(seen.kinds))
    for label in (stratum, stratum // kinds, stratum % kinds):
        values = np.unique(label[bad])
        if (label != label[0]).any():
            for value in values:
                yield behind[label == value]


def _end(bad: Bools, allowance: float) -> int | None:
    """Where a phase that begins with the first of these requests is over; None where there is none."""
    p, least = allowance * BACKGROUND, min(MILDEST * allowance, (1.0 + allowance) / 2)
    failures = np.flatnonzero(bad)
    if not failures.size or p <= 0.0:
        return None
    seen, failed = failures + 1.0, np.arange(1.0, failures.size + 1)
    q = np.clip(failed / seen, least, 1 - 1e-4)
    likelier = failed * np.log(q / p) + (seen - failed) * (np.log1p(-q) - math.log1p(-p))
    candidates = np.flatnonzero(likelier >= POSSIBLE)
    if not candidates.size:
        return None
    last = int(candidates[-1])
    enough = CLOSING * min(NEARLY, float(likelier[last]))
    # that many good ones in a row, less what failures in between take back, are too many for the phase to go on
    step = np.where(bad[failures[last] + 1 :], math.log(q[last] / p), math.log1p(-q[last]) - math.log1p(-p))
    over = np.flatnonzero(np.cumsum(step) <= -enough)
    if over.size:
        return int(failures[last]) + 1 + int(over[0])
    return bad.size if q[last] > 0.5 and failed[last] >= FEW else bad.size - 1
