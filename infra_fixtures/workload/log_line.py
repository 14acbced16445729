"""One JSON line a noteworthy event on standard output, which Lambda keeps in CloudWatch Logs."""

from __future__ import annotations

import json
import sys


def log_line(event: str, **facts: object) -> None:
    """Write the line; facts are what an operator would ask for, never a secret."""
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()
