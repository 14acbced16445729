"""A run's teardown ends what the run started, all of it, and nobody who merely looks into its directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from drill.wait import wait_until
from infra_fixtures.run_layout import RUN_ID_VARIABLE
from infra_fixtures.safety.sweep import processes_of, sweep
from infra_fixtures.standing import standing
from infra_fixtures.targets.embedded_world import Embedded

SLEEP = "import time; time.sleep(60)"
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}], env={{}})
grandchild = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', " \
             "{SLEEP!r}], stdout=-3, stderr=-3, env={{}}).pid)"
orphan = subprocess.run([sys.executable, "-c", grandchild], env={{}}, capture_output=True, text=True)
print(child.pid, orphan.stdout.strip(), flush=True)
child.wait()
"""


def test_bystanders_in_the_directory_survive_and_what_was_started_does_not(tmp_path: Path) -> None:
    """A shell in it and a tail of its log live on; a child and an orphan whose environment is empty do not."""
    work = tmp_path / "failover-drill-bystanders"
    (work / "us-east-1" / "aurora").mkdir(parents=True)
    (work / "x.log").touch()
    run_id = f"sweep-{os.getpid()}"
    visitor = subprocess.Popen([sys.executable, "-c", SLEEP], cwd=work / "us-east-1" / "aurora")
    reader = subprocess.Popen(["tail", "-f", str(work / "x.log")], stdout=subprocess.DEVNULL)
    started = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        env={**os.environ, RUN_ID_VARIABLE: run_id}, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert started.stdout is not None
    try:
        own = {started.pid, *map(int, started.stdout.readline().split())}
        assert len(own) == 3
        assert {p.pid for p in processes_of(run_id, work)} == own
        sweep(run_id, work)
        assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in own)
        assert not work.exists()
        assert visitor.poll() is None
        assert reader.poll() is None
    finally:
        for process in (visitor, reader, started):
            process.kill()
            process.wait()
        started.stdout.close()


@pytest.mark.slow
def test_every_process_of_a_run_is_found_also_without_its_parents(tmp_path: Path) -> None:
    """All that descend from the harness are found; and frozen PostgreSQL servers, once everybody above them is dead."""
    run_id = f"orphans-{os.getpid()}"
    with standing("embedded", pace=10.0, runs_dir=tmp_path, run_id=run_id) as world:
        assert isinstance(world, Embedded)
        work_dir = Path(world.layout.work_dir)
        parts = world.processes()
        watchdog = set(parts["watchdog"])
        descend = {pid for pids in parts.values() for pid in pids} - watchdog
        found = {p.pid for p in processes_of(run_id, work_dir)}
        assert found - watchdog >= {pid for pid in descend if psutil.pid_exists(pid)}
        servers = [p for p in psutil.process_iter() if p.pid in found and p.name() == "postgres"]
        assert len(servers) > 4
        for process in servers:
            process.send_signal(signal.SIGSTOP)
        above = [world.machinery.processes()[name][0] for name in ("control plane", "global process")]
        for pid in above:
            os.kill(pid, signal.SIGKILL)
        orphans = {p.pid for p in servers}
        wait_until(
            lambda: {p.pid for p in processes_of(run_id, work_dir)} <= orphans, what="all others to die", timeout_s=10
        )
        left = {p.pid for p in processes_of(run_id, work_dir)}
        assert left, "some stand still, without a parent"
        assert left == {pid for pid in orphans if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"}
    assert processes_of(run_id, work_dir) == []
    assert not any(psutil.pid_exists(pid) for pid in orphans)
