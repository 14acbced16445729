"""The canary: a function in the standby that looks at the primary's deep health and says so to the standby's CloudWatch.

Route 53's own health metrics live in us-east-1 only and would be lost with it, so the alarm that fires the failover
controller needs a metric of the standby's own. A rule starts the canary once a minute; it then probes every
CANARY_INTERVAL_S for CANARY_DURATION_S, each probe on a connection of its own.
"""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from infra_fixtures.workload.log_line import log_line

_kept: dict[str, Any] = {}


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Probe and report until the duration is over; says how many probes found the primary healthy."""
    interval_s, duration_s = float(os.environ["CANARY_INTERVAL_S"]), float(os.environ["CANARY_DURATION_S"])
    began_s = time.monotonic()
    probes = healthy = missed = 0
    while (due_s := probes_due_s(began_s, interval_s, time.monotonic())) < began_s + duration_s:
        threading.Event().wait(max(0.0, due_s - time.monotonic()))
        at = dt.datetime.now(dt.UTC)
        said = probe()
        probes += 1
        healthy += not said
        if said:
            log_line("primary unhealthy", at=at.isoformat(), because=said)
        missed += not _report(at, healthy=not said)
    return {"probes": probes, "healthy": healthy, "unreported": missed}


def probes_due_s(began_s: float, interval_s: float, now_s: float) -> float:
    """When the next probe is due: on the grid of intervals, so that slow probes do not shift those that follow."""
    passed = now_s - began_s
    ticks = int(passed / interval_s)
    return began_s if passed <= 0.001 else began_s + (ticks + 1) * interval_s


def probe() -> str:
    """Why the primary is not healthy; empty where it is."""
    request = urllib.request.Request(os.environ["PRIMARY_HEALTH_URL"], headers={"connection": "close"})
    if host := os.environ.get("PRIMARY_HEALTH_HOST"):
        request.add_header("host", host)
    try:
        with urllib.request.urlopen(request, timeout=float(os.environ["CANARY_TIMEOUT_S"])) as response:
            return "" if response.status == 200 else f"status {response.status}"
    except urllib.error.HTTPError as e:
        return f"status {e.code}"
    except OSError as e:
        return f"{type(e).__name__}: {e}"[:200]


def _report(at: dt.datetime, *, healthy: bool) -> bool:
    """Put the metric; a lost one counts as unhealthy at the alarm (missing data is breaching), so it is only logged."""
    try:
        if "cloudwatch" not in _kept:
            import boto3
            from botocore.config import Config

            config = Config(connect_timeout=1, read_timeout=1, retries={"total_max_attempts": 1})
            _kept["cloudwatch"] = boto3.client("cloudwatch", config=config)
        _kept["cloudwatch"].put_metric_data(
            Namespace=os.environ["CANARY_NAMESPACE"],
            MetricData=[
                {
                    "MetricName": os.environ["CANARY_METRIC"],
                    "Dimensions": [{"Name": "Run", "Value": os.environ["CANARY_RUN"]}],
                    "Timestamp": at,
                    "Value": 1.0 if healthy else 0.0,
                    "StorageResolution": 1,
                }
            ],
        )
    except Exception as e:
        log_line("metric not put", error=repr(e)[:300])
        return False
    return True
