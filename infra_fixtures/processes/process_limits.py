"""What a long-lived process of the data plane sets for itself before it serves."""

from __future__ import annotations

import gc
import logging
import resource
import sys

SWITCH_INTERVAL_S = 0.001
"""Threads (boto3 calls) hold the interpreter for this long at most while the event loop has packets to pass."""


def prepare_process() -> None:
    """Log to standard error, as many open files as allowed (each connection over a link takes two), short thread turns."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.freeze()  # what is loaded by now stays; collections look at what came later
