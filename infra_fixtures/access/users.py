"""Users that a run's processes may run as where the harness is root: such as run nothing else on this machine."""

from __future__ import annotations

import os

TRANSIENT_IDS = range(61184, 65520)
"""Numbers for users that exist only while something runs (systemd's DynamicUser range, https://systemd.io/UIDS-GIDS/)."""


def busy_uids() -> set[int]:
    """The users that run a process now."""
    found = set()
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                found.add(entry.stat().st_uid)
            except OSError:
                continue
    return found
