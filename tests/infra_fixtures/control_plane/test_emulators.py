"""Another emulator behind the front: asked for its services, frozen with its region, named when it dies unasked."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from botocore.exceptions import BotoCoreError, ClientError

from drill.wait import wait_until
from infra_fixtures.internal_api.admin import set_region
from infra_fixtures.internal_api.clients import client
from infra_fixtures.run_layout import Emulator, RunLayout
from infra_fixtures.safety.lease import lease
from tests.infra_fixtures.conftest import run_control_plane

EAST, WEST = "us-east-1", "us-west-2"

SQS_OF_ONE_REGION = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.say({"serves": True})
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.say({"QueueUrls": [f"http://{sys.argv[2]}/queue"]})
    def say(self, what):
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("content-type", "application/x-amz-json-1.0")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
"""The smallest emulator that boto3 can use: its only queue is named after it."""


@pytest.fixture
def layout() -> Iterator[RunLayout]:
    """A running control plane whose SQS is another emulator's in each region, and everything else moto's."""
    with lease(f"test-{uuid.uuid4().hex[:8]}") as held:
        plan = RunLayout.plan(
            run_id=held.work_dir.name, work_dir=held.work_dir, pace=10.0, network=held.network, regions=(EAST, WEST)
        )
        emulators = tuple(_emulator(region, held.work_dir) for region in (EAST, WEST))
        moto = frozenset({"sts", "kms"})
        whole = msgspec.structs.replace(plan, emulators=emulators, moto_services=moto)
        whole.save()
        yield from run_control_plane(whole)


def _emulator(region: str, work_dir: Path) -> Emulator:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Emulator(
        f"the emulator of {region}",
        f"http://127.0.0.1:{port}",
        (region,),
        "/health",
        argv=(sys.executable, "-c", SQS_OF_ONE_REGION, str(port), region),
        environment=(("PATH", os.environ["PATH"]),),
        log=str(work_dir / f"emulator-{region}.log"),
        lost_with=region,
    )


def _process(layout: RunLayout, region: str) -> psutil.Process:
    """The emulator's process, found as the control plane's child."""
    for process in psutil.process_iter():
        try:
            if process.cmdline()[1:] == list(layout.emulators[0 if region == EAST else 1].argv[1:]):
                return process
        except psutil.Error:
            continue
    raise AssertionError(f"no emulator of {region} runs")


def _failure(layout: RunLayout) -> Any:
    asked = urllib.request.Request(f"{layout.internal.url}/_drill/failure", headers=layout.credentials.bearer)
    with urllib.request.urlopen(asked, timeout=2) as answer:
        return json.load(answer)["failure"]


def test_each_region_is_answered_by_its_own_emulator_and_the_rest_by_moto(layout: RunLayout) -> None:
    """SQS of a region comes from that region's emulator, STS from moto."""
    assert client(layout, "sqs", EAST).list_queues()["QueueUrls"] == [f"http://{EAST}/queue"]
    assert client(layout, "sqs", WEST).list_queues()["QueueUrls"] == [f"http://{WEST}/queue"]
    assert client(layout, "sts", WEST).get_caller_identity()["Account"] == layout.account_id
    assert _failure(layout) is None


def test_a_lost_region_freezes_its_emulator_and_gives_it_back_as_it_was(layout: RunLayout) -> None:
    """While the region is lost its emulator stands still and calls fail at once; then the same process answers."""
    assert client(layout, "sqs", EAST).list_queues()["QueueUrls"] == [f"http://{EAST}/queue"]
    before = _process(layout, EAST)
    set_region(layout, EAST, False)
    wait_until(lambda: before.status() == psutil.STATUS_STOPPED, what="the emulator to stand still", timeout_s=2)
    with pytest.raises((ClientError, BotoCoreError), match="lost with its region"):
        client(layout, "sqs", EAST).list_queues()
    assert client(layout, "sqs", WEST).list_queues()["QueueUrls"] == [f"http://{WEST}/queue"]
    assert _failure(layout) is None
    set_region(layout, EAST, True)
    assert client(layout, "sqs", EAST).list_queues()["QueueUrls"] == [f"http://{EAST}/queue"]
    assert _process(layout, EAST).pid == before.pid


def test_an_unplanned_death_is_told_by_name(layout: RunLayout) -> None:
    """After a kill -9 nobody asked for, the failure names the emulator, its process and its status, and so do calls."""
    assert client(layout, "sqs", WEST).list_queues()["QueueUrls"] == [f"http://{WEST}/queue"]
    victim = _process(layout, WEST)
    os.kill(victim.pid, signal.SIGKILL)
    wait_until(lambda: _failure(layout), what="the failure to be told", timeout_s=5)
    said = _failure(layout)
    assert said.startswith(f"the emulator of {WEST} (process {victim.pid}) ended unasked with status -9")
    with pytest.raises(ClientError, match=f"the emulator of {WEST}"):
        client(layout, "sqs", WEST).list_queues()


def test_emulators_end_with_the_control_plane() -> None:
    """When the control plane stops, no emulator is left; one that cannot start is told with its last words."""
    with lease(f"test-{uuid.uuid4().hex[:8]}") as held:
        plan = RunLayout.plan(
            run_id=held.work_dir.name, work_dir=held.work_dir, pace=10.0, network=held.network, regions=(EAST, WEST)
        )
        good = _emulator(EAST, held.work_dir)
        layout = msgspec.structs.replace(plan, emulators=(good,))
        layout.save()
        with contextlib.contextmanager(run_control_plane)(layout):
            assert client(layout, "sqs", EAST).list_queues()["QueueUrls"] == [f"http://{EAST}/queue"]
            process = _process(layout, EAST)
        wait_until(lambda: not process.is_running(), what="the emulator to end", timeout_s=5)
        bad = msgspec.structs.replace(good, argv=(sys.executable, "-c", "raise SystemExit('no such licence')"))
        broken = msgspec.structs.replace(plan, emulators=(bad,))
        broken.save()
        with contextlib.contextmanager(run_control_plane)(broken):
            with pytest.raises(ClientError, match=r"the emulator of us-east-1 .* ended unasked with status 1"):
                client(broken, "sqs", EAST).list_queues()
            assert "its last words: no such licence" in _failure(broken)
