"""Who holds a topology is known by more than a number."""

from __future__ import annotations

import signal
import subprocess
import sys

import msgspec
import psutil

from drill.wait import wait_until
from infra_fixtures.running_topology import RunningTopology


def test_a_holder_is_alive_until_it_has_ended_reaped_or_not() -> None:
    """Alive while it runs; not once it is a zombie, nor when it is gone, nor where its number is another's."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    running = RunningTopology("run", "embedded", 10.0, process.pid, psutil.Process(process.pid).create_time(), {})
    assert running.alive
    assert not msgspec.structs.replace(running, started=running.started - 100).alive
    process.send_signal(signal.SIGKILL)
    wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE, what="its end", timeout_s=5)
    assert not running.alive
    process.wait()
    assert not running.alive
