"""The Python of an aws:executeScript step, in a process of its own: reads what to run from stdin, writes its answer to stdout.

Run by its path, isolated: it imports nothing of this repository. The script's own output goes to stderr.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import traceback
from typing import Any

import boto3
import botocore.client

PR_SET_PDEATHSIG = 1
STANDARD = (
    "base64", "collections", "concurrent.futures", "copy", "csv", "datetime", "decimal", "encodings.idna", "hashlib", "io",
    "itertools", "logging", "math", "random", "re", "statistics", "string", "textwrap", "threading", "time", "typing",
    "urllib.request", "uuid",
)  # fmt: skip
"""Imported before the user changes: Python itself may lie where the scripts' user may not read."""


def main() -> None:
    """Run the handler of a script; an exception of the script is its answer, not a failure of this process."""
    asked = json.load(sys.stdin)
    answers, sys.stdout = sys.stdout, sys.stderr
    refused: list[str] = []
    _refuse_others(frozenset(asked["services"]), refused)
    if asked["uid"] is not None:
        for name in STANDARD:
            importlib.import_module(name)
        boto3.client("sts")
        os.setgroups([])
        os.setgid(asked["uid"])
        os.setuid(asked["uid"])
        # Another user has no signal for its parent's end (prctl(2)): it is asked for anew.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    scope: dict[str, Any] = {"__name__": "automation", "boto3": boto3}
    try:
        exec(compile(asked["script"], "script", "exec"), scope)
        said = {"payload": scope[asked["handler"]](asked["payload"], {})}
        text = json.dumps({**said, "refused": refused}, default=str)
    except BaseException as e:
        traceback.print_exc()
        text = json.dumps({"error": f"{type(e).__name__}: {e}", "refused": refused})
    answers.write(text)
    answers.flush()


def _refuse_others(services: frozenset[str], refused: list[str]) -> None:
    """Calls of services that are not here fail, and are noted: a script that swallows the error is told of all the same."""
    original = botocore.client.BaseClient._make_api_call

    def call(self: Any, operation: str, parameters: Any) -> Any:
        name = self.meta.service_model.service_name
        if name not in services:
            refused.append(f"{name}:{operation}")
            raise NotImplementedError(f"{name} {operation}: this model of AWS does not have the service {name}")
        return original(self, operation, parameters)

    botocore.client.BaseClient._make_api_call = call


if __name__ == "__main__":
    main()
