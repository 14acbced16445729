"""The data alarms look at, as statistic sets by metric, cut into windows of whatever length."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from infra_fixtures.data_plane.cloudwatch.alarm import Key
from infra_fixtures.pace import Timer, paced

STANDARD_RESOLUTION_S = 60


class Datum(msgspec.Struct, frozen=True, tag_field="kind", tag="datum"):
    """One statistic set as it was put. `at` and `arrived` are Unix times in seconds, `at` what the caller stamped."""

    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]
    at: float
    arrived: float
    resolution_s: int
    count: float
    sum: float
    min: float
    max: float
    unit: str | None = None


class Series:
    """All data of a region that an alarm may still ask for."""

    def __init__(self, pace: float) -> None:
        self._pace = pace
        self._data: dict[Key, deque[tuple[float, Datum]]] = {}

    def add(self, datum: Datum) -> None:
        """Take a datum in, at the time CloudWatch would keep it under."""
        key = (datum.namespace, datum.metric, datum.dimensions)
        self._data.setdefault(key, deque()).append((self._kept_at(datum), datum))

    def forget(self, before: float) -> None:
        """Let go of data kept under a time before `before`."""
        for key, kept in list(self._data.items()):
            while kept and kept[0][0] < before:
                kept.popleft()
            if not kept:
                del self._data[key]

    def points(
        self, key: Key, statistic: str, unit: str | None, *, end: float, window_s: float, windows: int
    ) -> list[float | None]:
        """The statistic over each of the `windows` windows before `end`, oldest first; None where there is no data."""
        found: list[list[Datum]] = [[] for _ in range(windows)]
        for at, datum in self._data.get(key, ()):
            # Unix times are floats of some 0.2 us: a datum at a window's very start belongs to it.
            index = windows - 1 - max(0, math.floor((end - at) / window_s - 1e-6))
            if at < end and index >= 0 and unit in (None, datum.unit):
                found[index].append(datum)
        return [statistic_of(data, statistic) for data in found]

    def _kept_at(self, datum: Datum) -> float:
        """A stamp in the run's own, paced time.

        A metric of standard resolution is kept by the (paced) minute: an alarm with a shorter period finds it in the
        minute's first period only, as on AWS. A stamp of whole seconds, as many SDKs write it, would miss a paced
        period: where it means "now" it is taken for the time of arrival.
        """
        at = datum.at
        if at == math.floor(at) and abs(datum.arrived - at) <= 1.0:
            at = datum.arrived
        if datum.resolution_s >= STANDARD_RESOLUTION_S:
            minute_s = paced(self._pace, Timer.METRIC_MINUTE)
            return math.floor(at / minute_s) * minute_s
        return at


def statistic_of(data: Sequence[Datum], statistic: str) -> float | None:
    """A statistic over statistic sets; None where there are none, or where it cannot be had from them."""
    if not data:
        return None
    match statistic:
        case "SampleCount":
            return sum(d.count for d in data)
        case "Sum":
            return sum(d.sum for d in data)
        case "Average":
            count = sum(d.count for d in data)
            return sum(d.sum for d in data) / count if count else None
        case "Minimum":
            return min(d.min for d in data)
        case "Maximum":
            return max(d.max for d in data)
    return _percentile(data, float(statistic[1:])) if statistic.startswith("p") else None


def _percentile(data: Iterable[Datum], percent: float) -> float | None:
    """The value at a rank; only single values have ranks (CloudWatch: sets whose minimum is their maximum)."""
    ranked = sorted((d.min, d.count) for d in data if d.min == d.max)
    rank = percent / 100 * sum(count for _, count in ranked)
    for value, count in ranked:
        rank -= count
        if rank <= 1e-9:
            return value
    return None
