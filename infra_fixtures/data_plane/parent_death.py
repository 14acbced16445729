"""No process outlives the one that started it, however that ends: the kernel sees to it."""

from __future__ import annotations

import ctypes
import signal

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Be sent this signal when the thread that forked this process ends; call it in the child, between fork and exec.

    https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html
    """
    _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
