"""The same measure while the drill still runs: is service down, and if it is back, since when?"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from drill.history import NS
from drill.measure.outage import find_outages
from drill.measure.requests import Requests
from drill.objective import Objectives


@dataclass(frozen=True, slots=True)
class Recovery:
    """The state of the moment, of requests old enough to have been decided (due at least a deadline ago).

    `felt`: the fault was felt. `down`: service is down. `recovered_at_ns`: the first good request from which service
    is up, None while it is down or was never touched. `held_s`: for how long that has held. `share_good`: of the last
    window, None where no request was due in it.
    """

    felt: bool
    down: bool
    recovered_at_ns: int | None
    held_s: float
    share_good: float | None


def recovery(ops: pl.DataFrame, objectives: Objectives, fault_ns: int | None, now_ns: int) -> Recovery:
    """Where the drill stands at `now_ns`; `fault_ns` is when the fault took effect, None before it.

    Looks only at ops since the fault, so it is cheap enough for a few times a second. A request that has no answer yet
    is not in `ops`; looking only at those due a deadline ago keeps fast answers from hiding it.
    """
    decided_ns = now_ns - objectives.deadline_ns
    window_ns = round(objectives.window_s * NS)
    from_ns = decided_ns - window_ns if fault_ns is None else min(fault_ns, decided_ns - window_ns)
    tail = ops.filter((pl.col("intended_ns") >= from_ns) & (pl.col("intended_ns") <= decided_ns))
    requests = Requests.of(tail, objectives, None)
    window = requests.between(decided_ns - window_ns, decided_ns + 1)
    share = 1.0 - float(window.bad.mean()) if len(window) else None
    since = requests if fault_ns is None else requests.between(fault_ns, decided_ns + 1)
    if fault_ns is None or not len(since):
        return Recovery(felt=False, down=False, recovered_at_ns=None, held_s=0.0, share_good=share)
    outages = find_outages(since.due_ns, since.bad, since.stratum, objectives.allowance, window_ns)
    last = outages.last
    if last is None:
        return Recovery(
            felt=False, down=outages.suspect is not None, recovered_at_ns=None, held_s=0.0, share_good=share
        )
    if last.first_good is None or outages.suspect is not None:
        return Recovery(felt=True, down=True, recovered_at_ns=None, held_s=0.0, share_good=share)
    back_ns = int(since.due_ns[last.first_good])
    held_s = (int(since.due_ns[-1]) - back_ns) / NS
    return Recovery(felt=True, down=False, recovered_at_ns=back_ns, held_s=held_s, share_good=share)
