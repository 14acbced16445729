"""The shell loop against a real service and name server, and its outage against a drill's."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.independent_check import SCRIPT, Drilled, compared, kept_by_cache_s
from benchmarks.measuring.figure import Failed
from benchmarks.measuring.looks import Outage, outage_around, read_looks
from drill.history import NS, Mark
from drill.wait import wait_until
from infra_fixtures.run_layout import RunLayout
from tests.traffic.name_server import NameServer
from tests.traffic.order_service import OrderService
from traffic.load import amount_of

KEY = 42

with_tools = pytest.mark.skipif(
    shutil.which("dig") is None or shutil.which("curl") is None, reason="dig or curl is not installed"
)


@with_tools
def test_the_loop_sees_an_outage_and_its_end(layout: RunLayout) -> None:
    """Refused connections are bad looks, stored orders good ones, and both carry the address that was answered."""
    edge = layout.primary.edge
    out = Path(layout.work_dir) / "looks"

    def saw(count: int, good: bool) -> bool:
        return sum(look.good == good for look in read_looks(out.read_text())) >= count

    with NameServer(layout.dns.host, layout.dns.port, edge.host), out.open("wb") as file:
        service = OrderService(edge.host, edge.port, "us-east-1").__enter__()
        arguments = [layout.dns.host, layout.dns.port, "api.dr-drill.example", edge.port, KEY, amount_of(KEY)]
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


def seen(began_s: tuple[float, float], ended_s: tuple[float, float]) -> Outage:
    """An outage in seconds."""
    return Outage((int(began_s[0] * NS), int(began_s[1] * NS)), (int(ended_s[0] * NS), int(ended_s[1] * NS)), 9)


@pytest.mark.parametrize(("rto_s", "agree"), [(4.65, True), (5.3, True), (4.55, False), (5.4, False)])
def test_intervals_must_overlap(rto_s: float, agree: bool) -> None:
    """The loop saw 3.8 to 4.1 s; a drill's RTO agrees where, less the second its cache cost, it may be the same."""
    drilled = Drilled("MET", (rto_s - 0.2, rto_s, rto_s + 0.2), 1.0, fault_ns=0, end_ns=9 * NS)
    outage = seen((9.95, 10.05), (13.85, 14.05))
    if agree:
        assert list(compared(drilled, outage))[-1].value == pytest.approx(rto_s - 1.0 - 3.95)
    else:
        with pytest.raises(Failed, match="do not overlap"):
            list(compared(drilled, outage))


@pytest.mark.parametrize(
    ("promoted_s", "kept_s"),
    [(3.0, 2.0), (5.5, 0.5), (7.0, 0.0), (None, 2.0)],
    ids=["before the flip", "while cached", "after all", "never"],
)
def test_the_cache_counts_only_while_nothing_else_keeps_clients_away(promoted_s: float | None, kept_s: float) -> None:
    """DNS flips at 4 s, the clients learn of it at 6 s: until the database is promoted, their cache costs nothing."""
    told = [
        (0.5, "dns.answer", "us-east-1"),
        (0.6, "client.dns_answer", "127.0.0.1"),
        (4.0, "dns.answer", "us-west-2"),
        (6.0, "client.dns_answer", "127.0.0.2"),
        *([(promoted_s, "promotion.end", "arn")] if promoted_s is not None else []),
    ]
    marks = [Mark(int(at_s * NS), event, "", detail) for at_s, event, detail in sorted(told)]
    assert kept_by_cache_s(marks, fault_ns=NS) == pytest.approx(kept_s)
