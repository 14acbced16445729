"""Other processes that take the lock of a target, as game days on other machines do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.run_layout import REPOSITORY

TAKE = """
import sys
import boto3
from botocore.config import Config
from drill.unusable import UnusableInput
from infra_fixtures.safety.lock_place import LockPlace
from infra_fixtures.safety.target_lock import target_lock
url, account, target, run_id, lease_s = sys.argv[1:]
s3 = boto3.client(
    "s3", region_name="us-west-2", endpoint_url=url,
    config=Config(s3={"addressing_style": "path"}),
)
print("ready", flush=True)
sys.stdin.readline()
try:
    with target_lock(LockPlace(s3, account, target), run_id, lease_s=float(lease_s)):
        print("held", flush=True)
        sys.stdin.read()
except UnusableInput as e:
    print(e, flush=True)
"""


def start(url: str, account: str, target: str, run_id: str, lease_s: float, key: AccessKey) -> subprocess.Popen[str]:
    """A process that takes the lock when it is sent a line, says what came of it, and holds it until its input ends."""
    command = [sys.executable, "-c", TAKE, url, account, target, run_id, str(lease_s)]
    environment = os.environ | {"AWS_ACCESS_KEY_ID": key.id, "AWS_SECRET_ACCESS_KEY": key.secret}
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def said(process: subprocess.Popen[str]) -> str:
    """Its next line."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go(*processes: subprocess.Popen[str]) -> None:
    """Let all of them, once they are ready, take it at the same time."""
    for process in processes:
        assert said(process) == "ready"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


@contextmanager
def racing(url: str, account: str, target: str, *, racers: int, lease_s: float, key: AccessKey) -> Iterator[list[str]]:
    """What each of several said that took the lock at once; those that hold it do so for as long as this lasts."""
    processes = [start(url, account, target, f"run-{n}", lease_s, key) for n in range(racers)]
    try:
        go(*processes)
        yield [said(process) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
