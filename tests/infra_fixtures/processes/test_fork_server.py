"""Forked processes wait until they are started, and do not outlive who forked them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from drill.wait import wait_until

PROGRAM = """
import os, sys, time
from pathlib import Path
from infra_fixtures.processes.fork_server import fork_process

def run():
    print("ran with", os.environ.get("DRILL_TREE"), flush=True)
    {body}

log = Path(sys.argv[1])
first = fork_process(lambda: None, log)
child = fork_process(run, log, [first])
print(first.pid, child.pid, flush=True)
{then}
"""


def started(log: Path, *, body: str = "pass", then: str) -> subprocess.Popen[str]:
    """A process that forked two children, and then does `then`; the second runs `body` once started."""
    root = Path(__file__).parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(body=body, then=then), str(log)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )


@pytest.mark.parametrize(
    ("body", "status"), [("pass", 0), ("raise SystemExit(3)", 1), ("raise ValueError('no luck')", 1)]
)
def test_a_child_runs_once_it_is_released(tmp_path: Path, body: str, status: int) -> None:
    """With the variables it is given and its output in its log; how it ended is told."""
    then = """
assert child.poll() is None and not log.exists()
child.release({"DRILL_TREE": "run/us-east-1"})
while child.poll() is None:
    time.sleep(0.01)
print(child.returncode, first.poll(), flush=True)
"""
    log = tmp_path / "log"
    out, _ = started(log, body=body, then=then).communicate(timeout=10)
    assert out.split()[2:] == [str(status), "None"]
    assert log.read_text().startswith("ran with run/us-east-1\n")
    assert ("no luck" in log.read_text()) == ("luck" in body)


def test_a_child_dies_with_its_parent_released_or_not(tmp_path: Path) -> None:
    """SIGKILL of the parent leaves neither."""
    process = started(tmp_path / "log", body="time.sleep(60)", then="child.release({'A': 'b'}); time.sleep(60)")
    assert process.stdout is not None
    children = [int(pid) for pid in process.stdout.readline().split()]
    assert all(psutil.pid_exists(pid) for pid in children)
    process.kill()
    process.wait()
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in children), what="the children's end", timeout_s=3)
