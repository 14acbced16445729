"""A real control plane for tests of followers."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from drill.wait import wait_until
from infra_fixtures.site import Site, child_environment


@pytest.fixture
def control_plane(site: Site) -> Iterator[Site]:
    """The site with its AWS API serving."""
    with (Path(site.work_dir) / "control_plane.log").open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra_fixtures.control_plane", str(site.path)],
            env=child_environment(site),
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: _ready(process, site), what="the control plane", timeout_s=20)
        yield site
    finally:
        process.terminate()
        process.wait(timeout=5)


def _ready(process: subprocess.Popen[bytes], site: Site) -> bool:
    if process.poll() is not None:
        raise RuntimeError((Path(site.work_dir) / "control_plane.log").read_text())
    try:
        with urllib.request.urlopen(f"{site.internal.url}/_drill/ready", timeout=1):
            return True
    except OSError:
        return False
