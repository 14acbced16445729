"""Where a sequence of good and bad requests was down, and at which request each outage began and ended.

An outage ends at a change point, not where a threshold is crossed (docs/measures.md has the reasoning):

1. Two states, up and down, each with a failure rate; the sequence of states that explains the requests best
   (drill/measure/segments.py). Chance failures never earn the price of a change; 3 % lucky successes cannot pay for the
   way back. Repeated from the sharpest outage to the mildest.
2. What the sharper looks took out of a milder outage (a chance cluster of failures in it) is joined to it again, unless
   two outages explain the requests better by more than that price.
3. Each edge is moved to where the likelihood of a change is greatest, and bracketed (drill/measure/edges.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drill.measure.edges import edge, likeliest_end
from drill.measure.segments import price, segments

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Strata = npt.NDArray[np.int32]

BACKGROUND = 1 / 3
"""Chance failures are expected up to this part of the allowance."""
SHARPEST = 0.9
MILDEST = 3.0
"""The mildest outage looked for fails this many times the allowance; together with BACKGROUND that makes a lasting
share of about 1.2 times the allowance an outage."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Indices into the requests: the first and last bad one of an outage, and the first good one that tells of its end.

    `begins_after` < the true begin <= `begins_before`, `ends_after` <= the true end < `ends_before`; `first_good`,
    `begins_after` and `ends_before` are good, and None where there is none. `telling`: the strata whose good requests
    tell of the end. `goes_on`: how likely the requests behind the end are if it goes on to the last one, against its
    having ended.
    """

    first_bad: int
    last_bad: int
    first_good: int | None
    begins_after: int | None
    begins_before: int
    ends_after: int
    ends_before: int | None
    telling: tuple[int, ...] = ()
    goes_on: float = 0.0


@dataclass(frozen=True, slots=True)
class Outages:
    """All outages by their start; `suspect` is the first of several failures at the very end, too few to judge, or None."""

    found: tuple[Outage, ...]
    suspect: int | None = None

    @property
    def last(self) -> Outage | None:
        """The one that ends last."""
        return max(self.found, key=lambda o: o.last_bad, default=None)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Where an outage seems to be: `requests` (indices, those up to the next outage too), of which its own are the first
    `own`, `failed` of them bad; the next outage starts at `beyond`."""

    requests: Ints
    own: int
    failed: int
    beyond: int | None

    @property
    def first(self) -> int:
        return int(self.requests[0])

    @property
    def last(self) -> int:
        return int(self.requests[self.own - 1])


def find_outages(due_ns: Ints, bad: Bools, stratum: Strata, allowance: float, window_ns: int) -> Outages:
    """The outages of requests sorted by `due_ns`, where up to `allowance` of them may fail within any `window_ns`.

    `stratum` numbers kinds of request that may fail apart (cohort and kind of op). With an allowance of 0 each bad
    request is an outage.
    """
    if not bad.any():
        return Outages(())
    if allowance <= 0.0:
        return _each_failure(bad)
    allowance = min(allowance, 0.999)
    p = allowance * BACKGROUND
    stretches, suspect = _stretches(due_ns, bad, stratum, allowance, window_ns)
    stretches = _joined(stretches, bad, p)
    found, reached = [], 0
    for stretch in stretches:
        found.append(_bounded(stretch, reached, bad, stratum, p))
        reached = max(reached, found[-1].last_bad + 1)
    found.sort(key=lambda o: (o.first_bad, o.last_bad))
    if suspect is not None and any(o.last_bad >= suspect for o in found):
        suspect = None
    return Outages(tuple(found), suspect)


def _stretches(
    due_ns: Ints, bad: Bools, stratum: Strata, allowance: float, window_ns: int
) -> tuple[list[_Stretch], int | None]:
    """Outages of every sharpness by their start, and the first of several failures at the end that are too few to judge."""
    p = allowance * BACKGROUND
    short = _Shortfall(due_ns, bad, allowance, window_ns)
    left = np.arange(bad.size)
    found: list[_Stretch] = []
    suspect: int | None = None
    for q in _levels(allowance):
        spans, tail = segments(bad[left], p, q)
        spans = [(a, b) for a, b in spans if short.within(int(left[a]), int(left[b]))]
        if tail is not None and int(bad[left[tail:]].sum()) > 1 and short.within(int(left[tail]), int(left[-1])):
            suspect = int(left[tail]) if suspect is None else min(suspect, int(left[tail]))
        keep = np.ones(left.size, np.bool_)
        for i, (a, b) in enumerate(spans):
            until = spans[i + 1][0] if i + 1 < len(spans) else left.size
            own = left[a:until]
            end = likeliest_end(bad[own], stratum[own], p, b - a)
            beyond = int(left[until]) if until < left.size else None
            found.append(_Stretch(own, end + 1, int(bad[own[: end + 1]].sum()), beyond))
            keep[a : a + end + 1] = False
        left = left[keep]
        if not bad[left].any():
            break
    return sorted(found, key=lambda s: (s.first, s.last)), suspect


def _joined(stretches: list[_Stretch], bad: Bools, p: float) -> list[_Stretch]:
    """Neighbours that one failure rate explains as well as two outages with service up between them do."""
    needed = 2 * price(bad.size)
    kept: list[_Stretch] = []
    for stretch in stretches:
        while kept and _evidence(kept[-1], stretch, bad, p) < needed:
            before = kept.pop()
            first, last = before.first, max(before.last, stretch.last)
            whole = np.arange(first, last + 1)
            stretch = _Stretch(whole, whole.size, int(bad[whole].sum()), None)
        kept.append(stretch)
    starts = np.array([s.first for s in kept], np.int64)
    found = []
    for stretch in kept:
        if stretch.own == stretch.requests.size and stretch.beyond is None:
            following = starts[np.searchsorted(starts, stretch.last, side="right") :]
            beyond = int(following[0]) if following.size else None
            requests = np.arange(stretch.first, bad.size if beyond is None else beyond)
            stretch = _Stretch(requests, stretch.own, stretch.failed, beyond)
        found.append(stretch)
    return found


def _evidence(one: _Stretch, other: _Stretch, bad: Bools, p: float) -> float:
    """How much better two outages, each with a rate of its own and service up between them, explain than one outage."""
    between = bad[one.last + 1 : other.first]
    n, failed = between.size, int(between.sum())
    up = failed * math.log(p) + (n - failed) * math.log1p(-p)
    apart = _likelihood(one.own, one.failed) + up + _likelihood(other.own, other.failed)
    return apart - _likelihood(one.own + n + other.own, one.failed + failed + other.failed)


def _likelihood(n: int, failed: int) -> float:
    """The greatest log-likelihood of that many failures."""
    share = failed / n
    return sum(k * math.log(part) for k, part in ((failed, share), (n - failed, 1 - share)) if k)


def _bounded(stretch: _Stretch, reached: int, bad: Bools, stratum: Strata, p: float) -> Outage:
    """The outage of a stretch with both its edges; its begin is looked for down to `reached`."""
    left, beyond = stretch.requests, stretch.beyond
    end = edge(bad[left], stratum[left], p, stretch.own - 1)
    first = stretch.first
    begins_before, begins_after = first, None
    if first >= reached:  # else it began within a sharper one
        back = np.concatenate((np.arange(reached, first), left[: end.last + 1]))[::-1]
        begin = edge(bad[back], stratum[back], p, end.last)
        first, begins_before = int(back[begin.last]), int(back[begin.within])
        begins_after = None if begin.beyond is None else int(back[begin.beyond])
    return Outage(
        first_bad=first,
        last_bad=int(left[end.last]),
        first_good=beyond if end.good is None else int(left[end.good]),
        begins_after=begins_after,
        begins_before=begins_before,
        ends_after=int(left[end.within]),
        ends_before=beyond if end.beyond is None else int(left[end.beyond]),
        telling=end.telling,
        goes_on=end.goes_on,
    )


def _levels(allowance: float) -> list[float]:
    """Failure rates of the outages looked for, sharpest first, each about a quarter of the one before."""
    mildest = min(MILDEST * allowance, (1.0 + allowance) / 2)
    q, levels = SHARPEST, []
    while q > 1.5 * mildest:
        levels.append(q)
        q = 0.5 if q == SHARPEST else q / 4
    return [*levels, mildest]


class _Shortfall:
    """Whether the share of good requests really fell short around a stretch, over some window of the set length."""

    def __init__(self, due_ns: Ints, bad: Bools, allowance: float, window_ns: int) -> None:
        self._due_ns = due_ns
        self._failed = np.concatenate(([0], np.cumsum(bad)))
        self._allowance = allowance
        self._window_ns = window_ns

    def within(self, first: int, last: int) -> bool:
        a, b = int(self._due_ns[first]), int(self._due_ns[last])
        if b - a >= self._window_ns:
            return True
        half = (self._window_ns - (b - a)) // 2
        windows = ((b - self._window_ns, b), (a - half, b + half), (a, a + self._window_ns))
        return any(self._share(*w) > self._allowance for w in windows)

    def _share(self, from_ns: int, to_ns: int) -> float:
        i = int(np.searchsorted(self._due_ns, from_ns, side="left"))
        j = int(np.searchsorted(self._due_ns, to_ns, side="right"))
        return float(self._failed[j] - self._failed[i]) / max(1, j - i)


def _each_failure(bad: Bools) -> Outages:
    edges = np.flatnonzero(np.diff(bad, prepend=False, append=False))
    found = []
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        after = int(b) if b < bad.size else None
        before = int(a) - 1 if a else None
        found.append(Outage(int(a), int(b) - 1, after, before, int(a), int(b) - 1, after))
    return Outages(tuple(found))
