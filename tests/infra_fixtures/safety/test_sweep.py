"""A run's teardown ends what the run started, all of it, and nobody who merely looks into its directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from drill.wait import wait_until
from infra_fixtures.run_layout import RUN_ID_VARIABLE
from infra_fixtures.safety.lease import work_dirs, work_prefix
from infra_fixtures.safety.sweep import ProcessesLeft, processes_of, sweep
from infra_fixtures.standing import standing
from infra_fixtures.targets.embedded_world import Embedded

NOBODY = 65534
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


KILLED_BY_NOBODY = f"""
import os, sys, time
if os.fork() == 0:
    time.sleep(60)
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
os.execve("/bin/sleep", ["sleep", "60"], {{{RUN_ID_VARIABLE!r}: sys.argv[1]}})
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
def test_a_process_that_does_not_end_is_told() -> None:
    """Another user may not kill root's child of a run: the sweep names it and leaves the run's directory there."""
    run_id = f"left-{os.getpid()}"
    started = subprocess.Popen([sys.executable, "-c", KILLED_BY_NOBODY, run_id], start_new_session=True)
    child = 0
    try:
        child = wait_until(lambda: _child_of_sleeper(started.pid), what="the run's process", timeout_s=10)
        said = _as_nobody(lambda: _swept(run_id))
        assert f"these processes do not end, end them by hand: {child} (" in said
        assert said.endswith("the directory is there"), said
        assert psutil.pid_exists(child)
    finally:
        for pid in (child, started.pid):
            if pid:
                os.kill(pid, signal.SIGKILL)
        started.wait()
    assert _as_nobody(lambda: _swept(run_id)) == "0: the directory is gone"


def _child_of_sleeper(pid: int) -> int:
    """The child of a process that has become another user; 0 before."""
    process = psutil.Process(pid)
    children = process.children()
    return children[0].pid if children and process.uids().effective == NOBODY else 0


def _swept(run_id: str) -> str:
    """What a sweep says, and what becomes of a directory of the run."""
    work = Path(tempfile.mkdtemp(prefix=work_prefix(run_id)))
    try:
        said = str(sweep(run_id, work, grace_s=0.2))
    except ProcessesLeft as e:
        said = str(e)
    return f"{said}: the directory is {'there' if work.exists() else 'gone'}"


def _as_nobody(act: Callable[[], str]) -> str:
    """Do it in a child of this process that is another user; what it returned, or what it raised."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            said = act()
        except BaseException as e:
            said = repr(e)
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        said = answer.read()
    os.waitpid(pid, 0)
    return said


def test_only_a_directory_of_its_own_belongs_to_a_run(tmp_path: Path) -> None:
    """A link that leads nowhere, one to a directory of ours, and a file, all named as the run's: none is taken for one."""
    run_id, elsewhere = f"links-{os.getpid()}", tmp_path / "elsewhere"
    own, broken, link, file = (tmp_path / f"{work_prefix(run_id)}{name}" for name in ("own", "broken", "link", "file"))
    for directory in (own, elsewhere):
        directory.mkdir()
    broken.symlink_to(tmp_path / "nowhere")
    link.symlink_to(elsewhere)
    file.touch()
    assert work_dirs(run_id, str(tmp_path)) == [own]


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
