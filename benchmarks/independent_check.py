"""An independent pair of eyes: a shell loop with dig and curl beside a primary_region_lost drill, and the drill's RTO.

The loop (independent_check.sh) shares nothing with the harness: it resolves and POSTs an order again and again on the
wall clock. It asks the name server every time, while the drill's clients keep an answer for its TTL, so the drill's RTO
is compared less the time for which that cache alone kept its clients away (by the drill's own marks). The loop's outage
and that RTO are intervals; where they do not overlap, one of the two is wrong, and this fails.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl
import psutil

from benchmarks.measuring.figure import Failed, Figure, Skipped
from benchmarks.measuring.looks import Outage, outage_around, read_looks
from drill.history import NS, History, Mark
from drill.wait import WaitTimeout, wait_until
from traffic.load import Service, amount_of
from traffic.records import read_spool
from traffic.runner import ROOT, SETTINGS_VARIABLE

SCENARIO = "primary_region_lost"
SCRIPT = Path(__file__).with_suffix(".sh")
ATTEMPTS = 3
START_S = 90.0
DRILL_S = 300.0
STOP_S = 10.0
STEADY = 200
"""So many orders in a row, a second's worth, must be acknowledged before the loop begins to add its load."""
CLOCK_S = 0.02
"""The wall clock may drift so much against the monotonic one while the drill lasts; more means that it was set."""
PROBE_S = 0.05
"""The drill's own looks at DNS and at the promotion come this late at most: 25 ms apart, and they take their time."""


class DrillUnproven(Exception):
    """A drill without a result to compare with, as on a machine too busy for a steady state; the message says why."""


class Told(msgspec.Struct, frozen=True):
    """What the harness told its load generator, as far as it matters here."""

    service: Service
    t0_ns: int


@dataclass(frozen=True, slots=True)
class Drilled:
    """The drill's own figures: the bracket of its RTO in seconds, its fault in ns since t0, and its verdict."""

    verdict: str
    rto_s: tuple[float, float, float]
    """Lower bound, value, upper bound."""
    cache_s: float
    fault_ns: int
    end_ns: int


def measure() -> Iterator[Figure]:
    """Both outages in seconds, the cache's part, and by how much they differ."""
    missing = [tool for tool in ("dig", "curl") if shutil.which(tool) is None]
    if missing:
        raise Skipped(f"{' and '.join(missing)} not found: install it (Debian: bind9-dnsutils, curl) to run this check")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            drilled, outage = _both()
        except DrillUnproven as e:
            if attempt == ATTEMPTS:
                raise Failed(f"none of {ATTEMPTS} drills proved anything that could be compared, the last: {e}") from e
        else:
            yield from compared(drilled, outage)
            return


def _both() -> tuple[Drilled, Outage]:
    """One drill with the loop beside it, and what each of them saw."""
    with tempfile.TemporaryDirectory(prefix="bench-independent-") as name:
        runs_dir, log = Path(name) / "runs", Path(name) / "pytest.log"
        with _drill(runs_dir, log) as drill:
            told = _told(drill, log)
            key = _acknowledged_key(drill, runs_dir, log)
            with _loop(told.service, key, Path(name) / "looks") as looks_file:
                before_ns = _clock_difference_ns()
                _await_end(drill)
                after_ns = _clock_difference_ns()
        if abs(after_ns - before_ns) > CLOCK_S * NS:
            raise Failed("the wall clock was set during the drill, so the loop's times say nothing: run it again")
        drilled = _drilled(runs_dir, log)
        looks = read_looks(looks_file.read_text(), before_ns + told.t0_ns)
        return drilled, outage_around(looks, drilled.fault_ns, drilled.end_ns)


def compared(drilled: Drilled, outage: Outage) -> Iterator[Figure]:
    """Both in figures; raises Failed where the intervals do not overlap."""
    shortest, longest = outage.seconds
    lower, value, upper = drilled.rto_s
    middle = (shortest + longest) / 2
    yield Figure("outage, dig and curl", middle, "s", f"{outage.looks} looks failed", shortest, longest)
    yield Figure("RTO, the drill", value, "s", f"{SCENARIO}: {drilled.verdict}", lower, upper)
    yield Figure("of which the clients' DNS cache", drilled.cache_s, "s", "by the drill's marks")
    yield Figure("drill less cache - dig and curl", value - drilled.cache_s - middle, "s")
    lower, upper = lower - drilled.cache_s - PROBE_S, upper - drilled.cache_s
    if lower > longest or upper < shortest:
        raise Failed(
            f"dig and curl saw an outage of {shortest:.3f} to {longest:.3f} s, the drill one of {lower:.3f} to "
            f"{upper:.3f} s (less its clients' cache): they do not overlap"
        )


@contextlib.contextmanager
def _drill(runs_dir: Path, log: Path) -> Iterator[psutil.Popen]:
    """The drill, as a person would start it; stopped as Ctrl-C would where it still runs at the end."""
    command = [sys.executable, "-m", "pytest", "scenarios", "-k", SCENARIO, "--runs-dir", str(runs_dir)]
    with log.open("wb") as out:
        process = psutil.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_S)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def _loop(service: Service, key: int, looks: Path) -> Iterator[Path]:
    """The shell loop, writing to `looks`."""
    arguments = [service.dns_host or "", service.dns_port, service.host, service.port, key, amount_of(key)]
    environment = {"PATH": os.environ["PATH"], "API_KEY": service.api_key or ""}
    with looks.open("wb") as out:
        process = subprocess.Popen([str(SCRIPT), *map(str, arguments)], env=environment, stdout=out)
    try:
        yield looks
        if process.poll() is not None:
            raise Failed(f"{SCRIPT.name} ended by itself with status {process.returncode}")
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def _told(drill: psutil.Popen, log: Path) -> Told:
    """What the drill's load generator was started with: name server, name, port, API key, t0."""
    found: list[str] = []

    def look() -> bool:
        _still_runs(drill, log)
        for child in drill.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if settings := child.environ().get(SETTINGS_VARIABLE):
                    found.append(settings)
        return bool(found)

    wait_until(look, what="the drill's load generator", timeout_s=START_S, every_s=0.1)
    return msgspec.json.decode(found[0], type=Told)


def _acknowledged_key(drill: psutil.Popen, runs_dir: Path, log: Path) -> int:
    """An order that the drill's clients saw acknowledged, once the last STEADY orders all were: cold starts are over."""
    found: list[int] = []

    def look() -> bool:
        _still_runs(drill, log)
        for spool in runs_dir.glob(f"*/scenarios/{SCENARIO}/traffic.spool"):
            orders = read_spool(spool).ops().filter(pl.col("op") == "write").tail(STEADY)
            if orders.height == STEADY and (orders["outcome"] == "ok").all():
                found.append(int(orders["key"][0]))
        return bool(found)

    wait_until(look, what=f"{STEADY} acknowledged orders in a row", timeout_s=START_S, every_s=0.1)
    return found[0]


def _still_runs(drill: psutil.Popen, log: Path) -> None:
    if drill.poll() is not None:
        raise Failed(f"the drill ended with status {drill.returncode} before its load flowed; it said:\n{_tail(log)}")


def _await_end(drill: psutil.Popen) -> None:
    try:
        wait_until(lambda: drill.poll() is not None, what="the drill to end", timeout_s=DRILL_S, every_s=0.1)
    except WaitTimeout as e:
        raise Failed(str(e)) from e


def _drilled(runs_dir: Path, log: Path) -> Drilled:
    """What the drill recorded."""
    directory = next(iter(runs_dir.glob(f"*/scenarios/{SCENARIO}")))
    if not (directory / "verdict.json").exists():
        raise Failed(f"the drill left no verdict; it said:\n{_tail(log)}")
    verdict = msgspec.json.decode((directory / "verdict.json").read_bytes())
    if verdict["verdict"] == "UNPROVEN":
        raise DrillUnproven("; ".join(verdict["reasons"]))
    rto = verdict["measurements"]["rto_s"]
    if rto["value"] is None or rto["lower"] is None or rto["upper"] is None:
        raise DrillUnproven(f"it has no RTO with bounds ({rto['because']})")
    history = History.load(directory)
    fault, end = history.first_mark("fault.begin"), history.first_mark("drill.end")
    if fault is None or end is None:
        raise Failed(f"the drill marked no fault or no end of observation; it said:\n{_tail(log)}")
    marks = sorted(history.marks or (), key=lambda m: m.at_ns)
    return Drilled(
        verdict=verdict["verdict"],
        rto_s=(rto["lower"], rto["value"], rto["upper"]),
        cache_s=kept_by_cache_s(marks, fault.at_ns),
        fault_ns=fault.at_ns,
        end_ns=end.at_ns,
    )


def kept_by_cache_s(marks: Sequence[Mark], fault_ns: int) -> float:
    """For how long nothing but a cached DNS answer kept the drill's clients from the standby."""
    flipped, learned = _changed(marks, "dns.answer", fault_ns), _changed(marks, "client.dns_answer", fault_ns)
    if flipped is None or learned is None:
        return 0.0
    promoted = next((m.at_ns for m in marks if m.event == "promotion.end" and m.at_ns >= fault_ns), 0)
    return max(0, max(learned, promoted) - max(flipped, promoted)) / NS


def _changed(marks: Sequence[Mark], event: str, fault_ns: int) -> int | None:
    """When the answer first differed from the last one before the fault."""
    answers = [m for m in marks if m.event == event]
    before = next((m.detail for m in reversed(answers) if m.at_ns < fault_ns), None)
    return next((m.at_ns for m in answers if m.at_ns >= fault_ns and m.detail != before), None)


def _clock_difference_ns() -> int:
    """Wall clock less monotonic clock."""
    before = time.monotonic_ns()
    wall = time.time_ns()
    return wall - (before + time.monotonic_ns()) // 2


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])
