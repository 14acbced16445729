"""No process outlives the one that started it, however that ends: the kernel sees to it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PARENT_VARIABLE = "DRILL_PARENT"
"""The process id of whoever starts a program that must not outlive it."""
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Be sent this signal when the thread that forked this process ends; call it in the child, between fork and exec.

    https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html
    """
    _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def die_with_starter(number: signal.Signals = signal.SIGTERM) -> None:
    """The same for a program that is told who starts it (PARENT_VARIABLE): called as it begins, it ends at once where that
    one is gone already."""
    die_with_parent(number)
    starter = os.environ.get(PARENT_VARIABLE)
    if starter is not None and os.getppid() != int(starter):
        sys.exit(f"process {starter}, which started this one, is gone")
