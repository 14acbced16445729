"""Data loss: how old the oldest lost write was at the fault, how many are lost, and what else the ledger shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from drill.history import NS
from drill.measure.ledger import Ledger
from drill.measure.times import Times
from drill.measurement import Measurement

BASIS = "acknowledged writes against the keys the survivors hold"


def loss(ledgers: Mapping[str, Ledger], times: Times, survivors_read: bool, clock_s: float = 0.0) -> list[Measurement]:
    """Every figure of the ledger: rpo_s (the worse of both stores), rpo_aurora_s, rpo_s3_s, lost_writes, ...

    `clock_s`: by how much the clocks of clients and harness may differ.
    """
    used = [x for x in ledgers.values() if x.acked or x.in_doubt or x.phantoms]
    total = _counts("acked_writes", used, "acked", "acknowledged to a client")
    each = {
        f"rpo_{store}_s": _blurred(_age(f"rpo_{store}_s", found, times, survivors_read), clock_s)
        for store, found in ledgers.items()
    }
    found = [
        _worse([each[f"rpo_{x.store}_s"] for x in used if x.acked], survivors_read),
        *each.values(),
        total,
        Measurement.exact("acked_objects", ledgers["s3"].acked, "writes", "acknowledged to be in the object store"),
        Measurement.exact("acked_after_deadline", sum(x.late for x in used), "writes", "acknowledged, but too late"),
        _counts("in_doubt_writes", used, "in_doubt", "no answer said whether they happened"),
    ]
    lost = {
        "lost_writes": ("lost", used, "acknowledged, and in no surviving store"),
        "lost_rows": ("lost", [ledgers["aurora"]], "acknowledged, and not in the surviving database"),
        "lost_objects": ("lost", [ledgers["s3"]], "acknowledged, and not in the surviving bucket"),
        "lost_after_fault": ("lost_after", used, "acknowledged after the fault and lost (split brain)"),
        "in_doubt_found": ("in_doubt_found", used, "in doubt, and found to have happened"),
        "refused_found": ("refused_found", used, "refused, and found to have happened"),
        "duplicates": ("duplicates", used, "further copies of a key that may stand there once"),
        "phantom_writes": ("phantoms", used, "found, and sent by nobody this drill knows"),
        "unchecked_writes": ("unchecked", used, "acknowledged only after the survivors had been read"),
    }
    for name, (what, of, because) in lost.items():
        if survivors_read:
            found.append(_counts(name, of, what, because))
        else:
            found.append(Measurement.unknown(name, "writes", "the survivors were not read", BASIS))
    if not clock_s or not survivors_read:
        return found
    least, most = (sum(getattr(x, f"lost_{how}_after") for x in used) for how in ("surely", "maybe"))
    return [replace(m, lower=least, upper=most) if m.name == "lost_after_fault" else m for m in found]


def _blurred(age: Measurement, clock_s: float) -> Measurement:
    if age.lower is None or age.upper is None:
        return age
    return replace(age, lower=max(0.0, age.lower - clock_s), upper=age.upper + clock_s)


def wrong_content(ops: pl.DataFrame, ledgers: Mapping[str, Ledger]) -> Measurement:
    """Answers that showed another content than was sent (error class wrong_content), and keys that survived with another."""
    answers = int((ops["error"] == "wrong_content").sum())
    kept = {store: found.wrong for store, found in ledgers.items() if found.wrong is not None}
    told = ", ".join(f"{store} {n}" for store, n in kept.items()) or "not compared"
    because = f"another content than was acknowledged: in {answers} answers; in survivors: {told}"
    return Measurement.exact("wrong_content", answers + sum(kept.values()), "answers and keys", because)


def _counts(name: str, ledgers: list[Ledger], what: str, because: str) -> Measurement:
    parts = {x.store: int(getattr(x, what)) for x in ledgers}
    told = ", ".join(f"{store} {n}" for store, n in parts.items() if len(parts) > 1)
    return Measurement.exact(name, sum(parts.values()), "writes", because + (f" ({told})" if told else ""), BASIS)


def _age(name: str, found: Ledger, times: Times, survivors_read: bool) -> Measurement:
    if not found.acked:
        return Measurement.unknown(name, "s", f"no write to {found.store} was acknowledged", BASIS)
    if not survivors_read:
        return Measurement.unknown(name, "s", "the survivors were not read", BASIS)
    if times.fault is None:
        return Measurement.unknown(name, "s", "there is no fault mark to count back from", BASIS)
    begin_ns, effective_ns = times.fault
    lost = found.lost_before_ns
    since = found.oldest_kept_ns
    if not lost.size:
        upper = math.inf if since is None else max(0.0, (begin_ns - since) / NS)
        because = "nothing acknowledged before the fault is lost; the bound is the age of the last write that was kept"
        if found.lost_after:
            because = f"only writes acknowledged after the fault are lost ({found.lost_after})"
        return Measurement(name, 0.0, 0.0, upper, "s", because, BASIS)
    oldest = int(lost[0])
    value = max(0.0, (effective_ns - oldest) / NS)
    lower = max(0.0, (begin_ns - oldest) / NS)
    since = min(t for t in (oldest, since, found.lost_sent_ns) if t is not None)
    upper = max(value, (effective_ns - since) / NS)
    because = f"the oldest of {found.lost} lost writes to {found.store} was acknowledged {value:.3f} s before the fault"
    return Measurement(name, value, lower, upper, "s", because, BASIS)


def _worse(each: list[Measurement], survivors_read: bool) -> Measurement:
    known = [m for m in each if m.value is not None]
    if not known or len(known) < len(each):
        because = (
            "the survivors were not read" if not survivors_read else "no write was acknowledged, or no fault marked"
        )
        return Measurement.unknown("rpo_s", "s", because, BASIS)
    worst = max(known, key=lambda m: (m.value or 0.0, m.upper or 0.0))
    return Measurement(
        "rpo_s",
        worst.value,
        max(m.lower or 0.0 for m in known),
        max(m.upper or 0.0 for m in known) if not worst.value else worst.upper,
        "s",
        worst.because,
        BASIS,
    )
