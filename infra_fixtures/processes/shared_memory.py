"""A killed PostgreSQL leaves one System V shared memory segment (56 bytes) behind; this takes it away."""

from __future__ import annotations

import ctypes
from pathlib import Path

_IPC_RMID = 0
_libc = ctypes.CDLL(None, use_errno=True)


def release_shared_memory(data: Path) -> bool:
    """Remove the segment that a dead node of data directory `data` left; whether there was one.

    The lock file names it (line 7: key, id). A segment of another key under that id, or one in use, is left alone.
    """
    try:
        key, identity = (data / "postmaster.pid").read_text().splitlines()[6].split()
        segments = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    except (OSError, IndexError, ValueError):
        return False
    for segment in segments:
        columns = segment.split()
        if columns[0] == key and columns[1] == identity and columns[6] == "0":
            return bool(_libc.shmctl(int(identity), _IPC_RMID, None) == 0)
    return False
