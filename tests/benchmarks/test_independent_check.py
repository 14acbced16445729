"""The shell loop against a real service and name server."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.independent_check import SCRIPT
from benchmarks.measuring.looks import outage_around, read_looks
from drill.history import NS
from drill.wait import wait_until
from infra_fixtures.site import Site
from tests.traffic.name_server import NameServer
from tests.traffic.order_service import OrderService
from traffic.load import amount_of

KEY = 42

pytestmark = pytest.mark.skipif(
    shutil.which("dig") is None or shutil.which("curl") is None, reason="dig or curl is not installed"
)


def test_the_loop_sees_an_outage_and_its_end(site: Site) -> None:
    """Refused connections are bad looks, stored orders good ones, and both carry the address that was answered."""
    edge = site.primary.edge
    out = Path(site.work_dir) / "looks"

    def saw(count: int, good: bool) -> bool:
        return sum(look.good == good for look in read_looks(out.read_text())) >= count

    with NameServer(site.dns.host, site.dns.port, edge.host), out.open("wb") as file:
        service = OrderService(edge.host, edge.port, "us-east-1").__enter__()
        arguments = [site.dns.host, site.dns.port, "api.dr-drill.example", edge.port, KEY, amount_of(KEY)]
        loop = subprocess.Popen(
            [str(SCRIPT), *map(str, arguments)], stdout=file, env={"API_KEY": "k", "PATH": os.environ["PATH"]}
        )
        try:
            wait_until(lambda: saw(2, good=True), what="two good looks", timeout_s=10)
            service.end()
            wait_until(lambda: saw(2, good=False), what="two bad looks", timeout_s=10)
            with OrderService(edge.host, edge.port, "us-east-1") as again:
                good = sum(look.good for look in read_looks(out.read_text()))
                wait_until(lambda: saw(good + 2, good=True), what="service again", timeout_s=10)
                assert set(again.writes()) == {KEY}
                assert again.seen[0].headers["x-api-key"] == "k"
        finally:
            service.end()
            loop.terminate()
            loop.wait(5)
    looks = read_looks(out.read_text())
    assert {look.address for look in looks} == {edge.host}
    outage = outage_around(looks[:-1], looks[0].began_ns, looks[-2].ended_ns)
    assert 0 < outage.seconds[1] < 10
    assert outage.looks >= 2
    assert all(look.ended_ns - look.began_ns < 2 * NS for look in looks)


def test_the_loop_says_how_it_is_used() -> None:
    """Without arguments it ends with status 2 and one line."""
    done = subprocess.run([str(SCRIPT)], capture_output=True, text=True, timeout=5, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")
