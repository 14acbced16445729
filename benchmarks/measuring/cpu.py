"""CPU a process used, to the nanosecond: psutil's figures come in clock ticks of 10 ms, too coarse for one second."""

from __future__ import annotations

import time

_SCHEDULER = 2
"""The kernel's code for "as the scheduler counts", in a process's CPU clock id (clock_getcpuclockid(3))."""


def cpu_s(pid: int) -> float:
    """Seconds of CPU of all threads of process `pid` (0: this one), user and system; OSError where there is none."""
    return time.clock_gettime((~pid << 3) | _SCHEDULER)
