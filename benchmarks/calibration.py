"""Calibration: every figure against a scripted truth, in arrival intervals, and whether its bracket covers it.

A service that is down from one nanosecond to another (in ways that look different to clients), slow, flapping, lucky,
lost to some of its clients, with DNS that moves late or too early, and that loses exactly known writes. Locust drives
it as in a drill, through a name server and HTTP, at 200 orders a second; the records of each script are judged with
what the script says survives. Fails where an RTO is off by more than 1.5 arrival intervals, where a bracket misses its
truth, where a count is not exact, or where an objective that was missed counts as met.

What cannot be told to 1.5 intervals is held to its bracket alone: where half of the requests still succeed (the last of
k failures is followed by k lucky requests once in 2**k), and where those concerned come at random times (one kind of
client among others: their gaps are exponential, 22 % of them longer than 1.5 mean intervals). Where a request next to
the end met with luck, which the service's log shows, one interval more is allowed for each such request.
"""

from __future__ import annotations

import collections
import math
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from benchmarks.calibrating.comparison import Found, compare
from benchmarks.calibrating.script import Script, scripts
from benchmarks.calibrating.stage import play
from benchmarks.measuring.figure import Failed, Figure
from benchmarks.measuring.place import private_layout

SIDE_BY_SIDE = 2
"""Generators at once: more, and they take each other's CPU, so that requests begin late."""


def measure() -> Iterator[Figure]:
    """Errors and coverage by kind of script, then of all."""
    seed = secrets.randbelow(2**31)
    whole = scripts(seed)
    with ThreadPoolExecutor(SIDE_BY_SIDE) as tracks:
        parts = tracks.map(_track, [whole[i::SIDE_BY_SIDE] for i in range(SIDE_BY_SIDE)], range(seed, seed + 9))
        found = [f for part in parts for f in part]
    by_name: dict[str, list[Found]] = collections.defaultdict(list)
    for one in found:
        by_name[one.name].append(one)
    for name, group in sorted(by_name.items()):
        note = f"{len(group)} truths" + ("" if group[0].sharp else ", held to its bracket alone")
        yield Figure.of(f"RTO error, {name}", [f.intervals for f in group], "intervals", note)
    yield from _summary(found, seed)
    wrong = [f"{f.name}: {w}" for f in found for w in f.wrong]
    if wrong:
        raise Failed(f"{len(wrong)} of the figures are not as they must be (seed {seed}): " + "; ".join(wrong))


def _track(part: Sequence[Script], seed: int) -> list[Found]:
    with private_layout() as layout:
        return [compare(history, truth) for history, truth in play(layout, part, seed)]


def _summary(found: Sequence[Found], seed: int) -> Iterator[Figure]:
    sharp = [f for f in found if f.sharp]
    lucky = sum(1 for f in sharp if f.luck)
    errors = [abs(f.intervals) for f in sharp]
    note = f"of {len(sharp)} truths told to an interval, {lucky} of them with luck next to the end (seed {seed})"
    yield Figure("RTO error, greatest", max(errors), "intervals", note)
    yield Figure("RTO error, median", median(errors), "intervals", "without sign")
    widths = [f.bracket_s * 1000 for f in sharp if math.isfinite(f.bracket_s)]
    yield Figure.of("RTO bracket", widths, "ms", "width")
    note = f"{len(found)} truths, brackets of RTO, downtime and both RPO"
    yield Figure("truths covered", 100 * sum(not f.uncovered for f in found) / len(found), "%", note)
    yield Figure.of("downtime error", [f.downtime_error_s * 1000 for f in sharp], "ms")
    losing = [f for f in found if f.lost]
    exact = sum(1 for f in losing if not f.wrong)
    yield Figure.of("RPO error", [f.rpo_error_s * 1000 for f in losing], "ms", f"{len(losing)} truths that lose")
    note = f"{sum(f.lost for f in losing)} lost writes; counts of acked, lost, in doubt, found"
    yield Figure("losses exact", 100 * exact / len(losing), "%", note)
