"""What a fault that ended by itself, before its drill, means for the recovery: service may have come back because of it."""

from __future__ import annotations

import math

from drill.history import NS
from drill.measure.times import Times


def ended_by_itself(times: Times, lower_s: float, upper_s: float, effective_ns: int, *, felt: bool) -> str:
    """What it means for a recovery within these bounds that the fault ended by itself; "" where it stood to the end."""
    if times.over_ns is None:
        return ""
    over_s = (times.over_ns - effective_ns) / NS
    ending_s = 0.0 if times.ending_ns is None else (times.ending_ns - effective_ns) / NS
    if not felt:
        meaning = ""
    elif math.isinf(lower_s) or lower_s >= over_s:
        meaning = ", and service was not back before"
    elif upper_s <= ending_s:
        meaning = ", when service was back already"
    else:
        meaning = ", and whether service would have come back without that cannot be told"
    return f"; the fault ended by itself {over_s:.3f} s after it took effect{meaning}"
