"""Which stretches of good and bad requests are best explained by an outage: Viterbi's path through two states.

Up fails at rate p, down at rate q; each change of state must be paid for with evidence. For two states that is a walk of
log-likelihood ratios between two walls (Rabiner 1989, Page 1954), taken from whole columns at once.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

LEAST_EVIDENCE = math.log(100)


def price(n: int) -> float:
    """The evidence that one change of state needs among n requests; a stretch of its own needs two.

    log(n) for having looked everywhere, plus log(100) or log(n) for the risk of calling chance an outage, whichever is
    more, makes the price of two.
    """
    return 0.5 * (math.log(n) + max(LEAST_EVIDENCE, math.log(n)))


def segments(bad: Bools, p: float, q: float) -> tuple[list[tuple[int, int]], int | None]:
    """Stretches [first bad, last bad] best explained by failure rate q rather than p, and the start of a doubtful tail.

    A change of state costs `price`.
    """
    n = bad.size
    wall = price(n)
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
