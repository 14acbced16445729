"""Workers live no longer than they should."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drill.wait import wait_until
from infra_fixtures.run_layout import RunLayout, child_environment
from tests.infra_fixtures.data_plane.deploying import deploy
from tests.infra_fixtures.data_plane.lambda_runtime.harness import ask, reconciling, run

NAME = "lived"

REGION_PROCESS = """
import asyncio, sys
from pathlib import Path
from infra_fixtures.data_plane.lambda_runtime import LambdaService
from infra_fixtures.run_layout import RunLayout

async def main():
    service = LambdaService(RunLayout.load(Path(sys.argv[1])), "us-east-1")
    await service.start()
    await service.reconcile([])
    await asyncio.gather(*(service.invoke("lived", b'{"sleep": 1}') for _ in range(2)))
    asyncio.create_task(service.invoke("lived", b'{"sleep": 60}'))
    await asyncio.sleep(0.05)
    print(*service.pids("lived"), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def layout(control_plane: RunLayout, aws_client: Callable[..., Any]) -> RunLayout:
    """A control plane with one function."""
    deploy(aws_client, NAME, Timeout=120)
    return control_plane


def test_workers_die_with_a_killed_region_process(layout: RunLayout) -> None:
    """SIGKILL of the process that runs the service leaves no worker, idle or busy."""
    process = subprocess.Popen(
        [sys.executable, "-c", REGION_PROCESS, str(layout.path)],
        env=child_environment(layout, PYTHONPATH=str(Path(__file__).parents[4])),
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        workers = [int(pid) for pid in process.stdout.readline().split()]
        assert len(workers) == 2
        assert all(_alive(pid) for pid in workers)
        process.send_signal(signal.SIGKILL)
        wait_until(lambda: not any(_alive(pid) for pid in workers), what="the workers' end", timeout_s=2)
    finally:
        process.kill()
        process.wait()


def test_stop_is_prompt_and_leaves_no_worker(layout: RunLayout) -> None:
    """stop() ends an idle and a busy worker within half a second."""

    async def scenario() -> None:
        async with reconciling(layout, settled=lambda s: s.find(NAME) is None) as service:
            await ask(service, NAME)
            workers.extend(service.pids(NAME))
            stop_s.append(time.monotonic())
        stop_s.append(time.monotonic())

    workers: list[int] = []
    stop_s: list[float] = []
    run(scenario())
    assert workers
    assert not any(_alive(pid) for pid in workers)
    assert stop_s[1] - stop_s[0] < 0.5


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
