"""What workers are forked from: functions cannot tell it from a start of their own, and its death is survived."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from drill.wait import await_until
from infra_fixtures.data_plane.lambda_runtime.environment import lay_out_runtime
from infra_fixtures.data_plane.lambda_runtime.template import Forked, Request, Template
from infra_fixtures.processes.events import EventLog, read_events
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.conftest import AwsClient
from tests.infra_fixtures.data_plane.deploying import deploy, zipped
from tests.infra_fixtures.data_plane.lambda_runtime.harness import ask, reconciling, run

NAME = "templated"
VERSIONS = """
import boto3, botocore, dateutil, sys
def handler(event, context):
    return {m.__name__: [m.__file__.split("/")[-3], getattr(m, "OWN", False)] for m in (boto3, botocore, dateutil)}
"""


def with_files(source: str, files: Mapping[str, str]) -> bytes:
    """A function's zip with more files beside its app.py."""
    archive = io.BytesIO(zipped(source))
    with zipfile.ZipFile(archive, "a") as z:
        for name, content in files.items():
            z.writestr(name, content)
    return archive.getvalue()


@pytest.mark.parametrize(
    ("files", "own"),
    [
        ({}, []),
        ({"dateutil/__init__.py": "OWN = True"}, ["dateutil"]),
        ({"boto3/__init__.py": "OWN = True", "botocore/__init__.py": "OWN = True"}, ["boto3", "botocore"]),
    ],
)
def test_a_functions_own_packages_go_before_the_runtimes(
    control_plane: RunLayout, aws_client: AwsClient, files: Mapping[str, str], own: list[str]
) -> None:
    """Also before those that the template has imported already; without its own it gets the runtime's."""
    name = f"own-{len(files)}-{len(own)}-{'-'.join(own)}"
    deploy(aws_client, name)
    aws_client("lambda").update_function_code(FunctionName=name, ZipFile=with_files(VERSIONS, files))

    async def scenario() -> None:
        async with reconciling(control_plane, settled=lambda s: s.find(name) is None) as service:
            _, answer = await ask(service, name)
        assert sorted(module for module, (_, mine) in answer.items() if mine) == own
        assert all(place == "runtime" for module, (place, _) in answer.items() if module not in own)

    run(scenario())


def test_a_killed_template_takes_its_workers_and_is_replaced(control_plane: RunLayout, aws_client: AwsClient) -> None:
    """What ran ends as on AWS when its environment dies; the next invocation has a worker again."""
    deploy(aws_client, NAME, Timeout=30)

    async def scenario() -> None:
        async with reconciling(control_plane, settled=lambda s: s.find(NAME) is None) as service:
            _, before = await ask(service, NAME)
            running = asyncio.create_task(ask(service, NAME, sleep=20))
            await asyncio.sleep(0.1)
            psutil.Process(psutil.Process(before["pid"]).ppid()).kill()
            result, error = await running
            assert result.function_error == "Unhandled"
            assert error["errorType"] == "Runtime.ExitError"
            _, after = await ask(service, NAME)
            assert after["pid"] != before["pid"]

    run(scenario())


def test_a_death_that_nobody_asked_for_is_written_down(tmp_path: Path) -> None:
    """The template's own death is in its events with its process id; the end that `close` makes of it is not."""

    async def scenario() -> None:
        async with template(tmp_path) as whole:
            started = read_events(tmp_path / "events.jsonl")[0]
            assert (started.event, started.subject) == ("process.started", "us-east-1/lambda")
            pid = int(started.detail.removeprefix("pid "))
            psutil.Process(pid).kill()

            async def told() -> bool:
                return len(read_events(tmp_path / "events.jsonl")) > 1

            await await_until(told, what="the death to be written down", timeout_s=5)
            whole.start()
        died = [e for e in read_events(tmp_path / "events.jsonl") if e.event == "process.died"]
        assert [e.subject for e in died] == ["us-east-1/lambda"]
        assert died[0].detail.startswith(f"process {pid} was killed by SIGKILL")

    run(scenario())


@asynccontextmanager
async def template(tmp_path: Path) -> AsyncIterator[Template]:
    """A template of the test's own."""
    runtime = tmp_path / "runtime"
    lay_out_runtime(runtime)
    events = EventLog(tmp_path / "events.jsonl")
    whole = Template("test", runtime, tmp_path / "log", events, "us-east-1/lambda")
    whole.start()
    try:
        yield whole
    finally:
        whole.close()
        events.close()


async def forked(whole: Template, tmp_path: Path, ended: Callable[[int], None], output: int) -> Forked:
    """A worker of a function that does not exist, so that it ends by itself if it is let."""
    environment = {
        "LAMBDA_TASK_ROOT": str(tmp_path),
        "LAMBDA_RUNTIME_DIR": str(tmp_path / "runtime"),
        "AWS_LAMBDA_FUNCTION_NAME": "none",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1",
    }
    return await whole.fork(Request("none.handler", str(tmp_path), environment, 1 << 30), output, ended)


@pytest.mark.parametrize("killed", [True, False])
def test_how_a_worker_ended_is_told_once(tmp_path: Path, killed: bool) -> None:
    """Killed before it even runs, it ends by SIGKILL; one that ends by itself has its own status and its last words."""
    statuses: list[int] = []

    async def scenario() -> str:
        reading, writing = os.pipe()
        async with template(tmp_path) as whole:
            child = await forked(whole, tmp_path, statuses.append, writing)
            os.close(writing)
            assert child.pid == 0
            if killed:
                child.kill()

            async def gone() -> bool:
                return bool(statuses)

            await await_until(gone, what="the worker's end", timeout_s=10)
            assert child.pid
            assert not child.alive
        with os.fdopen(reading) as output:
            return output.read()

    said = asyncio.run(scenario())
    assert statuses == [-signal.SIGKILL if killed else 1]
    assert ("No module named 'none'" in said) is not killed


def test_what_was_asked_for_ends_with_the_template(tmp_path: Path) -> None:
    """Closed at once, it leaves no process; whoever waits for a worker learns of its end."""
    statuses: list[int] = []
    pids: list[int] = []

    async def scenario() -> None:
        before = psutil.Process().children()
        reading, writing = os.pipe()
        async with template(tmp_path) as whole:
            await forked(whole, tmp_path, statuses.append, writing)
            pids.extend(p.pid for p in psutil.Process().children() if p not in before)
        for end in (reading, writing):
            os.close(end)
        assert pids

    asyncio.run(scenario())
    assert statuses == [-signal.SIGKILL]
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_request_is_plain_json(tmp_path: Path) -> None:
    """The template knows nothing of this project: what it is told are strings."""

    async def scenario() -> Any:
        reading, writing = os.pipe()
        (tmp_path / "probe.py").write_text("import json, os; print(json.dumps(dict(os.environ)), flush=True)")
        statuses: list[int] = []
        async with template(tmp_path) as whole:
            environment = {
                "LAMBDA_TASK_ROOT": str(tmp_path), "LAMBDA_RUNTIME_DIR": str(tmp_path / "runtime"),
                "AWS_LAMBDA_FUNCTION_NAME": "probe", "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1", "ODD": 'ü "quoted"',
            }  # fmt: skip
            await whole.fork(Request("probe.handler", str(tmp_path), environment, 1 << 30), writing, statuses.append)
            os.close(writing)

            async def gone() -> bool:
                return bool(statuses)

            await await_until(gone, what="the worker's end", timeout_s=10)
        with os.fdopen(reading) as output:
            return json.loads(output.readline()), environment

    said, environment = asyncio.run(scenario())
    assert said == environment
