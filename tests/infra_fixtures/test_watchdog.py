"""However the harness dies, its processes end, its files go and its journal is closed."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

from drill.wait import wait_until
from infra_fixtures.run_layout import RUN_ID_VARIABLE
from infra_fixtures.safety.journal import JOURNAL, Header, Journal, has_ended, open_entries
from infra_fixtures.safety.lease import WORK_PREFIX, lease, work_dirs, work_prefix
from infra_fixtures.safety.sweep import processes_of, sweep
from infra_fixtures.safety.undo import RestoreRegion
from infra_fixtures.watchdog import LOG, Watchdog
from tests.infra_fixtures.targets.shared_memory import segments

HARNESS = """
import subprocess, sys, time
from pathlib import Path
from infra_fixtures.safety.journal import Header, Journal
from infra_fixtures.safety.undo import RestoreRegion
from infra_fixtures.watchdog import Watchdog
run_id, work, records = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
journal = Journal(records)
journal.stands_up(Header(run_id, "embedded", 10.0, {}, str(work.parent)))
Watchdog(records)
journal.begin("region_lost", [RestoreRegion("us-east-1")])
child = "import os, time; os.setsid(); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", child], env={"DRILL_RUN_ID": run_id})
subprocess.Popen([sys.executable, "-c", child], env={"DRILL_RUN_ID": run_id}, cwd=work)
print("up", flush=True)
time.sleep(60)
"""


def test_a_killed_harness_leaves_nothing(tmp_path: Path) -> None:
    """SIGKILL of the harness: children that left its session are killed, the work directory goes, the journal closes."""
    run_id = f"watchdog-{os.getpid()}"
    work = tmp_path / f"{WORK_PREFIX}{run_id}-x"
    work.mkdir()
    records = tmp_path / "run"
    harness = subprocess.Popen(
        [sys.executable, "-c", HARNESS, run_id, str(work), str(records)], stdout=subprocess.PIPE, text=True
    )
    assert harness.stdout is not None
    assert harness.stdout.readline() == "up\n"
    wait_until(lambda: len(processes_of(run_id, work)) >= 2, what="both children", timeout_s=5)
    harness.send_signal(signal.SIGKILL)
    harness.wait()
    harness.stdout.close()
    wait_until(lambda: has_ended(records / JOURNAL), what="the run to have ended", timeout_s=10)
    assert open_entries(records / JOURNAL) == []
    assert processes_of(run_id, work) == []
    assert not work.exists()
    assert '"by":"watchdog"' in (records / JOURNAL).read_text()
    assert "healed region_lost" in (records / LOG).read_text()


def test_a_dismissed_watchdog_touches_nothing(tmp_path: Path) -> None:
    """After a farewell the watchdog ends at once and what runs goes on."""
    run_id = f"watchdog-{os.getpid()}-tidy"
    bystander = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], env={**os.environ, RUN_ID_VARIABLE: run_id}
    )
    journal = Journal(tmp_path)
    journal.stands_up(Header(run_id, "embedded", 10.0, {}, str(tmp_path)))
    watchdog = Watchdog(tmp_path)
    watchdog.dismiss()
    assert not psutil.pid_exists(watchdog.process.pid)
    assert bystander.poll() is None
    journal.close()
    assert sweep(run_id) == 1
    assert not psutil.pid_exists(bystander.pid)
    bystander.wait()


def test_a_sweep_takes_every_directory_of_its_run() -> None:
    """The work directory, and others that are named like it; those of a run whose id begins the same stay."""
    run_id = f"sweep-{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix=f"{work_prefix(run_id + '0')}traffic-") as other:
        made = [Path(tempfile.mkdtemp(prefix=f"{work_prefix(run_id)}{part}")) for part in ("", "traffic-")]
        (made[1] / "records").touch()
        assert sorted(work_dirs(run_id)) == sorted(made)
        assert sweep(run_id) == 0
        assert work_dirs(run_id) == []
        assert Path(other).exists()


def test_a_sweep_takes_the_shared_memory_of_a_killed_postgresql() -> None:
    """The segment that its lock file names is removed with the files; one in use is not, nor one of another key."""
    run_id = f"segments-{os.getpid()}"
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    keys = [0x5D000000 | os.getpid() << 2 | n for n in range(3)]
    dead, used, foreign = (libc.shmget(key, 56, 0o1600) for key in keys)  # IPC_CREAT, as PostgreSQL makes it
    try:
        address = libc.shmat(used, None, 0)
        work = Path(tempfile.mkdtemp(prefix=work_prefix(run_id)))
        for region, key, identity in (("a", keys[0], dead), ("b", keys[1], used), ("c", keys[1], foreign)):
            data = work / region / "aurora"
            data.mkdir(parents=True)
            (data / "postmaster.pid").write_text(f"1\n{data}\n0\n5432\n\nlocalhost\n{key:>9} {identity:>9}\nready\n")
        sweep(run_id, work)
        assert not work.exists()
        there = segments()
        assert (str(dead) in there, str(used) in there, str(foreign) in there) == (False, True, True)
    finally:
        libc.shmdt(ctypes.c_void_p(address))
        for identity in (used, foreign):
            libc.shmctl(identity, 0, None)  # IPC_RMID


def test_a_harness_that_cannot_end_its_run_leaves_it_to_the_watchdog(tmp_path: Path) -> None:
    """Ctrl-C in the middle of tearing down: no farewell, and once the journal is free the watchdog does the rest."""
    run_id = f"watchdog-{os.getpid()}-taken-over"
    work = tmp_path / f"{WORK_PREFIX}{run_id}-x"
    work.mkdir()
    journal = Journal(tmp_path / "run")
    journal.stands_up(Header(run_id, "embedded", 10.0, {}, str(tmp_path)))
    journal.begin("region_lost", [RestoreRegion("us-east-1")])
    watchdog = Watchdog(tmp_path / "run")
    watchdog.take_over()
    journal.close()
    wait_until(lambda: has_ended(tmp_path / "run" / JOURNAL), what="the watchdog to end the run", timeout_s=20)
    assert watchdog.process.wait(10) == 0
    assert not work.exists()
    assert '"by":"watchdog"' in (tmp_path / "run" / JOURNAL).read_text()


def test_two_leases_never_meet() -> None:
    """Two runs side by side get networks and directories of their own, and leave no directory."""
    with lease("a") as one, lease("b") as two:
        assert one.network != two.network
        assert one.work_dir != two.work_dir
        assert one.work_dir.stat().st_mode & 0o007 == 0
    assert not one.work_dir.exists()
    assert not two.work_dir.exists()
