"""CloudWatch: what was put and which alarms changed state, in order, for the alarm evaluator to follow.

moto keeps data in a list that it scans at every read, in windows of whole seconds; an evaluator at pace 10 needs tenths.
An alarm's state, which moto starts at OK, starts at INSUFFICIENT_DATA, and survives the alarm's being changed.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.models import Alarm, CloudWatchBackend

from infra_fixtures.control_plane.overlays.patching import replaces
from infra_fixtures.run_layout import RunLayout

KEPT = 100_000
"""Entries a region's feed holds; an evaluator reads every second or so."""
MOST_A_READ = 20_000


class Feed:
    """One region's entries, numbered from 1."""

    def __init__(self) -> None:
        self._entries: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._last = 0
        self._lock = threading.Lock()

    def add(self, entry: dict[str, Any]) -> None:
        """Append an entry."""
        with self._lock:
            self._last += 1
            self._entries.append(entry)

    def after(self, seq: int) -> dict[str, Any]:
        """The entries after number `seq`, and the number of the last one given."""
        with self._lock:
            first = self._last - len(self._entries)
            start = max(seq - first, 0) if seq <= self._last else len(self._entries)
            entries = list(itertools.islice(self._entries, start, start + MOST_A_READ))
            return {"last": first + start + len(entries), "entries": entries}


_feeds: dict[tuple[str, str], Feed] = {}
_guard = threading.Lock()


def apply(layout: RunLayout) -> None:
    """Mend moto's CloudWatch."""
    replaces(CloudWatchBackend, "put_metric_data")(_putting(CloudWatchBackend.put_metric_data))
    replaces(CloudWatchBackend, "put_metric_alarm")(_putting_alarm(CloudWatchBackend.put_metric_alarm))
    replaces(Alarm, "update_state")(_updating(Alarm.update_state))


def read(account_id: str, region: str, after: int) -> dict[str, Any]:
    """What happened in a region's CloudWatch after entry number `after`: see Feed.after."""
    return _feed(account_id, region).after(after)


def _feed(account_id: str, region: str) -> Feed:
    with _guard:
        return _feeds.setdefault((account_id, region), Feed())


def _putting(original: Any) -> Any:
    def put_metric_data(self: CloudWatchBackend, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        original(self, namespace, metric_data)
        feed = _feed(self.account_id, self.region_name)
        arrived = time.time()
        for datum in metric_data:
            about = {
                "kind": "datum",
                "namespace": namespace,
                "metric": datum["MetricName"],
                "dimensions": sorted([d["Name"], d["Value"]] for d in datum.get("Dimensions") or ()),
                "at": _epoch(datum.get("Timestamp"), arrived),
                "arrived": arrived,
                "unit": datum.get("Unit"),
                "resolution_s": int(datum.get("StorageResolution") or 60),
            }
            for count, total, least, most in _sets(datum):
                feed.add({**about, "count": count, "sum": total, "min": least, "max": most})

    return put_metric_data


def _sets(datum: dict[str, Any]) -> list[tuple[float, float, float, float]]:
    """A datum as statistic sets: count, sum, minimum, maximum."""
    if statistics := datum.get("StatisticValues"):
        return [
            (
                float(statistics["SampleCount"]),
                float(statistics["Sum"]),
                float(statistics["Minimum"]),
                float(statistics["Maximum"]),
            )
        ]
    if values := datum.get("Values"):
        counts = datum.get("Counts") or [1.0] * len(values)
        pairs = [(float(v), float(c)) for v, c in zip(values, counts, strict=True)]
        return [(c, v * c, v, v) for v, c in pairs]
    value = float(datum.get("Value") or 0.0)
    return [(1.0, value, value, value)]


def _epoch(stamp: Any, otherwise: float) -> float:
    if stamp is None:
        return otherwise
    if isinstance(stamp, datetime):
        return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()
    return float(stamp)


def _putting_alarm(original: Any) -> Any:
    def put_metric_alarm(self: CloudWatchBackend, name: str, *args: Any, **more: Any) -> Alarm:
        """A new alarm has insufficient data; one that is there already keeps its state and history."""
        before = self.alarms.get(name)
        alarm: Alarm = original(self, name, *args, **more)
        if before is None:
            alarm.state_value = "INSUFFICIENT_DATA"
        else:
            for kept in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
                setattr(alarm, kept, getattr(before, kept))
        return alarm

    return put_metric_alarm


def _updating(original: Any) -> Any:
    def update_state(self: Alarm, reason: str, reason_data: str, state_value: str) -> None:
        before = self.state_value
        original(self, reason, reason_data, state_value)
        if before == state_value:
            return
        account = self.alarm_arn.split(":")[4]
        _feed(account, self.region_name).add(
            {
                "kind": "transition",
                "alarm": self.name,
                "old": before,
                "new": state_value,
                "reason": reason,
                "at": time.time(),
            }
        )

    return update_state
