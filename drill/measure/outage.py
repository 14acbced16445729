"""Where a sequence of good and bad requests was down, and at which request each outage ended.

An outage ends at a change point, not where a threshold is crossed (docs/measures.md has the reasoning):

1. Two states, up and down, each with a failure rate; the sequence of states that explains the requests best, where each
   change of state must be paid for with evidence (Viterbi's path through a two-state chain, which for two states is a
   walk of log-likelihood ratios between two walls; Rabiner 1989, Page 1954). Chance failures never earn the price of a
   change; 3 % lucky successes cannot pay for the way back. Repeated from the sharpest outage to the mildest.
2. Each end is moved to where the likelihood of a change is greatest, given how often each kind of client's requests
   failed in that outage (a profile likelihood, as in Hinkley 1970); its bracket is every place nearly as likely.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

BACKGROUND = 1 / 3
"""Chance failures are expected up to this part of the allowance."""
SHARPEST = 0.9
MILDEST = 3.0
"""The mildest outage looked for fails this many times the allowance; together with BACKGROUND that makes a lasting
share of about 1.2 times the allowance an outage."""
LEAST_EVIDENCE = math.log(100)
NEARLY = math.log(1000)
"""An end is in the bracket if it is at most 1,000 times less likely than the likeliest: a chance failure of the very
first request after the outage is 1 in 300."""
TELLING = 0.2
"""A good request tells of the end if it speaks for it at least this much as loudly as the clearest one."""
SIGMAS = 3.0
"""A kind of request has a failure rate of its own in an outage if it lies this far off the common one."""
LUCK = 0.03
"""Lucky successes expected in an outage, worth one request of experience."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Indices into the requests: the first and last bad one of an outage, and the first good one that tells of its end.

    `ends_after` <= the true end < `ends_before`; `first_good` and `ends_before` are None where there is none.
    """

    first_bad: int
    last_bad: int
    first_good: int | None
    ends_after: int
    ends_before: int | None


@dataclass(frozen=True, slots=True)
class Outages:
    """All outages by their start; `suspect` is the first of several failures at the very end, too few to judge, or None."""

    found: tuple[Outage, ...]
    suspect: int | None = None

    @property
    def last(self) -> Outage | None:
        """The one that ends last."""
        return max(self.found, key=lambda o: o.last_bad, default=None)


def find_outages(due_ns: Ints, bad: Bools, stratum: npt.NDArray[np.int32], allowance: float, window_ns: int) -> Outages:
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
    short = _Shortfall(due_ns, bad, allowance, window_ns)
    left = np.arange(bad.size)
    found: list[Outage] = []
    suspect: int | None = None
    for q in _levels(allowance):
        spans, tail = _segments(bad[left], p, q)
        spans = [(a, b) for a, b in spans if short.within(int(left[a]), int(left[b]))]
        if tail is not None and int(bad[left[tail:]].sum()) > 1 and short.within(int(left[tail]), int(left[-1])):
            suspect = int(left[tail]) if suspect is None else min(suspect, int(left[tail]))
        keep = np.ones(left.size, np.bool_)
        for i, (a, b) in enumerate(spans):
            until = spans[i + 1][0] if i + 1 < len(spans) else left.size
            beyond = int(left[until]) if until < left.size else None
            outage, end = _refined(left[a:until], beyond, bad, stratum, p, b - a)
            found.append(outage)
            keep[a : a + end + 1] = False
        left = left[keep]
        if not bad[left].any():
            break
    found.sort(key=lambda o: (o.first_bad, o.last_bad))
    if suspect is not None and any(o.last_bad >= suspect for o in found):
        suspect = None
    return Outages(tuple(found), suspect)


def _levels(allowance: float) -> list[float]:
    """Failure rates of the outages looked for, sharpest first, each about a quarter of the one before."""
    mildest = min(MILDEST * allowance, (1.0 + allowance) / 2)
    q, levels = SHARPEST, []
    while q > 1.5 * mildest:
        levels.append(q)
        q = 0.5 if q == SHARPEST else q / 4
    return [*levels, mildest]


def _segments(bad: Bools, p: float, q: float) -> tuple[list[tuple[int, int]], int | None]:
    """Stretches [first bad, last bad] best explained by failure rate q rather than p, and the start of a doubtful tail.

    A change of state costs `wall`, so that a stretch needs evidence of 2 walls: log(n) for having looked everywhere,
    plus log(100) or log(n) for the risk of calling chance an outage, whichever is more.
    """
    n = bad.size
    wall = 0.5 * (math.log(n) + max(LEAST_EVIDENCE, math.log(n)))
    starts = np.flatnonzero(np.diff(bad, prepend=~bad[:1]))
    lengths = np.diff(starts, append=n)
    runs_bad = bad[starts]
    steps = lengths * np.where(runs_bad, math.log(q / p), math.log((1 - q) / (1 - p)))
    before, at = _walk(steps, wall)
    event = np.where(before + steps > wall, 1, np.where(before + steps < -wall, -1, 0))
    placed = np.flatnonzero(event)
    following = np.searchsorted(placed, np.arange(event.size))
    settled = following < placed.size
    down = np.zeros(event.size, np.bool_)
    down[settled] = event[placed[following[settled]]] > 0
    # behind the last event nothing is settled: an outage lasts to its last failure, an unsure one is a doubtful tail
    tail = None
    behind = int(placed[-1]) + 1 if placed.size else 0
    was_down = bool(placed.size) and event[placed[-1]] > 0
    if behind < event.size and at[-1] > 0:
        if was_down:
            down[behind:] = True
        else:
            tail = int(starts[_rise(before, steps, behind)])
    edges = np.flatnonzero(np.diff(down, prepend=False, append=False))
    spans = []
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        first, last = int(a), int(b) - 1
        first += 0 if runs_bad[first] else 1
        last -= 0 if runs_bad[last] else 1
        if first <= last:
            spans.append((int(starts[first]), int(starts[last] + lengths[last] - 1)))
    return spans, tail


def _rise(before: Floats, steps: Floats, behind: int) -> int:
    """The bad run from which the walk rose for good: where it last stood lowest."""
    lowest = before.size - 1 - int(np.argmin(before[behind:][::-1]))
    return lowest if steps[lowest] > 0 else min(lowest + 1, before.size - 1)


def _walk(steps: Floats, wall: float) -> tuple[Floats, Floats]:
    """The walk between -wall and +wall from -wall, as (position before each step, after it).

    Steps x -> min(hi, max(lo, x + s)) compose into steps of the same form, so all positions come from a parallel prefix
    composition in log2(n) passes over whole columns.
    """
    s = steps.copy()
    lo = np.full(s.size, -wall)
    hi = np.full(s.size, wall)
    d = 1
    while d < s.size:
        s_then, lo_then, hi_then = s[d:], lo[d:], hi[d:]
        lo_new = np.clip(lo[:-d] + s_then, lo_then, hi_then)
        hi_new = np.clip(hi[:-d] + s_then, lo_then, hi_then)
        s_new = s[:-d] + s_then
        s[d:], lo[d:], hi[d:] = s_new, lo_new, hi_new
        d *= 2
    after = np.clip(s - wall, lo, hi)
    before = np.concatenate(([-wall], after[:-1]))
    return before, after


def _refined(
    left: Ints, beyond: int | None, bad: Bools, stratum: npt.NDArray[np.int32], p: float, last: int
) -> tuple[Outage, int]:
    """The outage that starts at left[0] and seems to end at left[last], its end moved to the likeliest change point.

    `left` reaches to the next outage, which starts at `beyond`. Returns it with the place of its end in `left`.
    """
    failed, kind = bad[left], stratum[left]
    gain = _gains(failed, kind, p, last)
    end = int(np.argmax(np.cumsum(gain)))
    gain = _gains(failed, kind, p, end)
    end = int(np.argmax(np.cumsum(gain)))
    cautious = np.cumsum(_gains(failed, kind, p, end, cautious=True))
    near = np.flatnonzero(cautious >= cautious[end] - NEARLY)
    telling = np.flatnonzero(gain[end + 1 :] <= TELLING * gain.min()) if gain.min() < 0 else np.empty(0, np.int64)
    good = end + 1 + int(telling[0]) if telling.size else None
    behind = max(int(near[-1]) + 1, good or 0)
    return (
        Outage(
            first_bad=int(left[0]),
            last_bad=int(left[end]),
            first_good=beyond if good is None else int(left[good]),
            ends_after=int(left[int(near[0])]),
            ends_before=int(left[behind]) if behind < left.size else beyond,
        ),
        end,
    )


def _gains(failed: Bools, kind: npt.NDArray[np.int32], p: float, end: int, *, cautious: bool = False) -> Floats:
    """What each request says for "still down" against "up again", as a log-likelihood ratio.

    With `cautious`, luck that n requests cannot exclude (the rule of three: 3 / n at 95 %) is allowed for, up to LUCK.
    """
    head_failed, head_kind = failed[: end + 1], kind[: end + 1]
    q_all = (int(head_failed.sum()) + 1.0) / (head_failed.size + 1.0 + LUCK)
    kinds = int(kind.max()) + 1
    seen = np.bincount(head_kind, minlength=kinds)
    lost = np.bincount(head_kind, weights=head_failed, minlength=kinds)
    apart = (lost - seen * q_all) ** 2 > SIGMAS**2 * seen * q_all * (1 - q_all)
    apart |= q_all < 0.5  # what spares most requests spares some kinds wholly
    q = np.clip(np.where(apart, (lost + q_all) / (seen + 1.0), q_all), p, 1 - 1e-4)
    if cautious:
        q = np.maximum(np.minimum(q, 1 - np.minimum(LUCK, 3.0 / (seen + 1.0))), p)
    said: Floats = np.where(failed, np.log(q / p)[kind], (np.log1p(-q) - math.log1p(-p))[kind])
    return said


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
        found.append(Outage(int(a), int(b) - 1, after, int(b) - 1, after))
    return Outages(tuple(found))
