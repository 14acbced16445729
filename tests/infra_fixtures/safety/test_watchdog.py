"""However the harness dies, its processes end, its files go and its journal is closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from drill.wait import wait_until
from infra_fixtures.safety.journal import Journal, open_entries
from infra_fixtures.safety.lease import lease
from infra_fixtures.safety.sweep import processes_of, sweep
from infra_fixtures.safety.watchdog import Watchdog
from infra_fixtures.site import RUN_ID_VARIABLE

HARNESS = """
import subprocess, sys, time
from pathlib import Path
from infra_fixtures.safety.journal import Journal, PowerCall
from infra_fixtures.safety.watchdog import Watchdog
run_id, work, records = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
journal = Journal(records)
Watchdog(run_id, work, records)
journal.begin("region_lost", [PowerCall("restore_region", ("us-east-1",))])
child = "import os, time; os.setsid(); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", child], env={"DRILL_RUN_ID": run_id})
subprocess.Popen([sys.executable, "-c", child], env={"DRILL_RUN_ID": run_id}, cwd=work)
print("up", flush=True)
time.sleep(60)
"""


def test_a_killed_harness_leaves_nothing(tmp_path: Path) -> None:
    """SIGKILL of the harness: children that left its session are killed, the work directory goes, the journal closes."""
    work = tmp_path / "failover-drill-x"
    work.mkdir()
    records = tmp_path / "run"
    run_id = f"watchdog-{os.getpid()}"
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS, run_id, str(work), str(records)], stdout=subprocess.PIPE, text=True
    )
    assert harness.stdout is not None
    assert harness.stdout.readline() == "up\n"
    wait_until(lambda: len(processes_of(run_id, work)) >= 2, what="both children", timeout_s=5)
    harness.send_signal(signal.SIGKILL)
    harness.wait()
    harness.stdout.close()
    wait_until(lambda: not open_entries(records / "journal.jsonl"), what="the journal to be closed", timeout_s=10)
    assert processes_of(run_id, work) == []
    assert not work.exists()
    assert '"by":"watchdog"' in (records / "journal.jsonl").read_text()


def test_a_dismissed_watchdog_touches_nothing(tmp_path: Path) -> None:
    """After a farewell the watchdog ends at once and what runs goes on."""
    run_id = f"watchdog-{os.getpid()}-tidy"
    bystander = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], env={**os.environ, RUN_ID_VARIABLE: run_id}
    )
    journal = Journal(tmp_path)
    watchdog = Watchdog(run_id, tmp_path / "failover-drill-none", tmp_path)
    watchdog.dismiss()
    assert not psutil.pid_exists(watchdog.pid)
    assert bystander.poll() is None
    journal.close()
    assert sweep(run_id) == 1
    assert not psutil.pid_exists(bystander.pid)
    bystander.wait()


def test_two_leases_never_meet() -> None:
    """Two runs side by side get networks and directories of their own, and leave no directory."""
    with lease("a") as one, lease("b") as two:
        assert one.network != two.network
        assert one.work_dir != two.work_dir
        assert one.work_dir.stat().st_mode & 0o007 == 0
    assert not one.work_dir.exists()
    assert not two.work_dir.exists()
