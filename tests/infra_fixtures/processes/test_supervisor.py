"""The supervisor kills, freezes and stops whole regions, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from drill.wait import await_until, wait_until
from infra_fixtures.processes import process_tree, supervisor
from infra_fixtures.processes.events import read_events
from infra_fixtures.processes.process_tree import Tree
from infra_fixtures.processes.supervisor import Supervisor
from infra_fixtures.processes.walked_tree import WalkedTree
from infra_fixtures.run_layout import RunLayout, child_environment
from infra_fixtures.safety.sweep import processes_of

REGION, OTHER = "us-east-1", "us-west-2"
BREEDER = (
    "import os, subprocess, sys, time\n"
    "for _ in range(3): subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
    "print('bred', flush=True)\n"
    "time.sleep(60)\n"
)
KILL_LIMIT_MS = 50


@pytest.fixture(params=["as the machine allows", "walked"])
def planting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways of holding a tree: the one this machine gives, and the one that works everywhere."""
    if request.param == "walked":
        create_tree: Callable[[str], Tree] = WalkedTree
        monkeypatch.setattr(supervisor, "create_tree", create_tree)
    return str(request.param)


async def _family(supervised: Supervisor, region: str, name: str = "breeder") -> list[psutil.Process]:
    process = supervised.spawn(region, name, [sys.executable, "-c", BREEDER])

    async def bred() -> bool:
        return b"bred" in process.log.read_bytes()

    await await_until(bred, what="three grandchildren", timeout_s=5)
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


def _dead(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.usefixtures("planting")
def test_kill_takes_the_whole_region_and_no_other(layout: RunLayout) -> None:
    """Children that called setsid die with their region within 50 ms; the other region lives."""

    async def scene() -> None:
        supervised = Supervisor(layout)
        try:
            doomed = await _family(supervised, REGION)
            spared = await _family(supervised, OTHER)
            span = await supervised.kill(REGION)
            assert (span.ended_ns - span.began_ns) / 1e6 < KILL_LIMIT_MS
            assert len(doomed) == 4
            assert all(_dead(p) for p in doomed)
            assert not any(_dead(p) for p in spared)
        finally:
            await supervised.close()
        assert all(_dead(p) for p in spared)
        assert processes_of(layout.run_id, Path(layout.work_dir)) == []

    asyncio.run(scene())


@pytest.mark.usefixtures("planting")
def test_kill_of_one_process_spares_its_neighbours(layout: RunLayout) -> None:
    """Killing a process by name takes its children and leaves the rest of its region."""

    async def scene() -> None:
        supervised = Supervisor(layout)
        try:
            doomed = await _family(supervised, REGION, "aurora")
            spared = await _family(supervised, REGION, "region")
            await supervised.kill(REGION, "aurora")
            assert all(_dead(p) for p in doomed)
            assert not any(_dead(p) for p in spared)
        finally:
            await supervised.close()

    asyncio.run(scene())


@pytest.mark.usefixtures("planting")
def test_frozen_region_stands_still_and_goes_on(layout: RunLayout) -> None:
    """A frozen process does nothing until it is thawed, and can be killed while frozen."""

    async def scene() -> None:
        supervised = Supervisor(layout)
        try:
            counter = "import time, sys\nwhile True: print('x', flush=True); time.sleep(0.005)"
            process = supervised.spawn(REGION, "counter", [sys.executable, "-c", counter])

            async def grown(beyond: int) -> bool:
                return process.log.stat().st_size > beyond

            await await_until(lambda: grown(4), what="the first lines", timeout_s=5)
            supervised.freeze(REGION)
            await asyncio.sleep(0.02)
            size = process.log.stat().st_size
            await asyncio.sleep(0.1)
            assert process.log.stat().st_size == size
            supervised.thaw(REGION)
            await await_until(lambda: grown(size), what="more lines after the thaw", timeout_s=5)
            supervised.freeze(REGION)
            await supervised.kill(REGION)
            assert not process.alive
        finally:
            await supervised.close()

    asyncio.run(scene())


def test_a_death_of_its_own_is_recorded_and_not_repaired(layout: RunLayout) -> None:
    """A process that ends by itself is reported with its exit status and log, and stays dead."""

    async def scene() -> None:
        supervised = Supervisor(layout)
        told: list[str] = []
        supervised.on_death(lambda p: told.append(f"{p.name} {p.returncode}"))
        try:
            process = supervised.spawn(REGION, "crasher", [sys.executable, "-c", "raise SystemExit(7)"])
            async with asyncio.timeout(5):
                await process.ended.wait()
            assert told == ["crasher 7"]
        finally:
            await supervised.close()
        died = [e for e in read_events(Path(layout.work_dir) / "supervisor.events.jsonl") if e.event == "process.died"]
        assert [e.subject for e in died] == [f"{REGION}/crasher"]
        assert died[0].detail == f"process {process.pid} ended with exit status 7; its last words: (none)"

    asyncio.run(scene())


def test_everything_dies_with_the_supervisor(layout: RunLayout) -> None:
    """SIGKILL of the supervisor's own process ends what it started."""
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from infra_fixtures.run_layout import RunLayout\n"
        "from infra_fixtures.processes.supervisor import Supervisor\n"
        "async def main():\n"
        "    s = Supervisor(RunLayout.load(Path(sys.argv[1])))\n"
        "    print(s.spawn('us-east-1', 'sleeper', ['sleep', '60']).pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(layout.path)], stdout=subprocess.PIPE, env=child_environment(layout)
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.kill()
    wait_until(lambda: _dead(child), what="the child's death", timeout_s=2)
    process_tree.create_tree(layout.run_id).remove()
