"""Whoever has to wait for a processor is seen to wait, by the name of its part; who asks for none is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from drill.wait import wait_until
from probes.cpu_wait import CpuWait, processes_of
from tests.probes.conftest import Notebook, watching
from tests.real_world import System

BUSY = "import os\nos.sched_setaffinity(0, {CPU})\nwhile True: pass"


@contextmanager
def running(program: str) -> Iterator[int]:
    """A Python program of its own, killed at the end."""
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def shares(notebook: Notebook, part: str) -> list[float]:
    """What was sampled of a part."""
    return [said.value for said in notebook.found("cpu_wait_share", subject=part)]


@pytest.fixture
def cpu() -> int:
    """A processor that this process may use."""
    return min(os.sched_getaffinity(0))


def test_three_that_share_a_processor_wait_two_thirds_of_the_time(cpu: int) -> None:
    """Busy loops tied to one processor: each waits at least half of the time; one that sleeps does not wait."""
    with ExitStack() as stack:
        busy = [stack.enter_context(running(BUSY.replace("CPU", str(cpu)))) for _ in range(3)]
        idle = stack.enter_context(running("import time; time.sleep(60)"))
        with watching(CpuWait(lambda: {"busy": busy, "idle": [idle]}, every_s=0.2)) as notebook:
            wait_until(lambda: max(shares(notebook, "busy"), default=0) > 0.5, what="a wait", timeout_s=5)
            assert max(shares(notebook, "busy")) <= 1.0
            assert min(shares(notebook, "idle")) < 0.05


def test_a_process_that_is_gone_is_no_longer_sampled() -> None:
    """Its part falls silent; the probe lives on."""
    with running("import time; time.sleep(60)") as pid:
        parts = {"short": [pid], "harness": [os.getpid()]}
        with watching(CpuWait(lambda: parts, every_s=0.05)) as notebook:
            notebook.await_said("cpu_wait_share", subject="short")
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            until = len(shares(notebook, "harness")) + 5
            wait_until(lambda: len(shares(notebook, "harness")) >= until, what="more samples", timeout_s=5)
            assert len(shares(notebook, "short")) < until - 3


@pytest.mark.slow
def test_every_part_of_a_system_is_sampled(system: System) -> None:
    """The processes that the target started, and what these started, each under the name of its part."""
    parts = processes_of(system.world)
    regional = {f"{region}/{part}" for region in ("us-east-1", "us-west-2") for part in ("region", "aurora", "lambda")}
    assert set(parts) == {"control plane", "global process", "watchdog"} | regional
    assert len({pid for pids in parts.values() for pid in pids}) == sum(map(len, parts.values()))
    assert all(len(parts[f"{region}/aurora"]) > 5 for region in ("us-east-1", "us-west-2")), "PostgreSQL's children too"
    with watching(CpuWait(lambda: processes_of(system.world), every_s=0.1)) as notebook:
        for part in parts:
            share = notebook.await_said("cpu_wait_share", subject=part).value
            assert 0.0 <= share <= 1.0
