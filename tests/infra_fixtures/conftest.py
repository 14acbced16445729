"""A running control plane for the tests that need an AWS API."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from drill.wait import wait_until
from infra_fixtures.run_layout import RunLayout, child_environment
from infra_fixtures.safety.lease import lease


@contextlib.contextmanager
def planned_layout() -> Iterator[RunLayout]:
    """The plan of a run of two regions, whose network and work directory are held; nothing of it is started or saved."""
    with lease(f"test-{uuid.uuid4().hex[:8]}") as leased:
        yield RunLayout.plan(
            run_id=leased.work_dir.name,
            work_dir=leased.work_dir,
            pace=10.0,
            network=leased.network,
            regions=("us-east-1", "us-west-2"),
            worker_uid=leased.worker_uid,
        )


@pytest.fixture(scope="module")
def control_plane() -> Iterator[RunLayout]:
    """The layout of a running control plane (front and moto), one for all tests of a module; stopped afterwards."""
    with planned_layout() as layout:
        yield from run_control_plane(layout)


def run_control_plane(layout: RunLayout) -> Iterator[RunLayout]:
    """Save a layout and start its control plane, yield it once it is ready, and stop it; raises where it ends by itself."""
    layout.save()
    log_path = Path(layout.work_dir) / "control_plane.log"
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra_fixtures.control_plane", str(layout.path)],
            env=child_environment(layout),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: _ready(layout, process, log_path), what="the control plane to be ready", timeout_s=30)
        yield layout
        assert process.poll() is None, f"the control plane ended by itself: {log_path.read_text()[-2000:]}"
    finally:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(layout: RunLayout, process: subprocess.Popen[bytes], log_path: Path) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the control plane ended with {process.returncode}: {log_path.read_text()[-2000:]}")
    try:
        ready = urllib.request.Request(f"{layout.internal.url}/_drill/ready", headers=layout.credentials.bearer)
        with urllib.request.urlopen(ready, timeout=1):
            return True
    except OSError:
        return False


AwsClient = Callable[..., Any]


@pytest.fixture(scope="module")
def aws_client(control_plane: RunLayout) -> AwsClient:
    """A maker of boto3 clients: `aws_client("rds", "us-west-2")` at the region's own endpoint, `endpoint=` elsewhere."""

    def make(service: str, region: str = "us-east-1", endpoint: str | None = None, **config: Any) -> Any:
        credentials = control_plane.credentials
        key = credentials.reconciler if endpoint == control_plane.internal.url else credentials.user
        is_global = service in {"route53", "iam", "cloudfront"}
        own = control_plane.global_aws.url if is_global else control_plane.region(region).aws.url
        return boto3.session.Session().client(
            service,
            region_name=region,
            endpoint_url=endpoint or own,
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            config=Config(
                retries={"max_attempts": 0},
                connect_timeout=2,
                read_timeout=30,
                s3={"addressing_style": "path"},
                **config,
            ),
        )

    return make
