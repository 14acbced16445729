"""The name server, asked with real packets over UDP and TCP."""

from __future__ import annotations

import asyncio
import shutil
import time

import dns.asyncquery
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from infra_fixtures.data_plane.route53.server import DnsServer
from infra_fixtures.data_plane.route53.zone import NOERROR, NXDOMAIN, REFUSED, Answer, RRset
from infra_fixtures.run_layout import RunLayout

SOA = RRset("dr-drill.example.", "SOA", 90, ("ns.example. host.example. 1 7200 900 1209600 86400",))
NAME = "api.dr-drill.example."


def answering(name: str, kind: str) -> Answer:
    """A zone of a few fixed answers."""
    if not name.endswith("dr-drill.example."):
        return Answer(REFUSED)
    if name == "many.dr-drill.example.":
        return Answer(NOERROR, (RRset(name, "TXT", 6, tuple(f'"{n:0200}"' for n in range(30))),))
    if name == "broken.dr-drill.example.":
        return Answer(NOERROR, (RRset(name, "A", 6, ("not an address",)),))
    if name != NAME:
        return Answer(NXDOMAIN, (), (SOA,))
    return Answer(NOERROR, (RRset(name, "A", 6, ("127.0.0.7",)),)) if kind == "A" else Answer(NOERROR, (), (SOA,))


async def _ask(layout: RunLayout, *names: tuple[str, str], tcp: bool = False) -> list[dns.message.Message]:
    ask = dns.asyncquery.tcp if tcp else dns.asyncquery.udp
    async with DnsServer(layout.dns, answering):
        return [
            await ask(dns.message.make_query(n, k), layout.dns.host, port=layout.dns.port, timeout=2) for n, k in names
        ]


@pytest.mark.parametrize("tcp", [False, True])
def test_answers_over_udp_and_tcp(layout: RunLayout, tcp: bool) -> None:
    """An answer, no data, no such name, a refusal, and a record that cannot be said, each with its code and section."""
    found = asyncio.run(
        _ask(
            layout,
            (NAME, "A"),
            (NAME, "AAAA"),
            ("x.dr-drill.example.", "A"),
            ("example.org.", "A"),
            ("broken.dr-drill.example.", "A"),
            tcp=tcp,
        )
    )
    assert [dns.rcode.to_text(m.rcode()) for m in found] == ["NOERROR", "NOERROR", "NXDOMAIN", "REFUSED", "SERVFAIL"]
    assert found[0].answer[0][0].address == "127.0.0.7"
    assert found[0].answer[0].ttl == 6
    assert [m.authority[0].rdtype for m in found[1:3]] == [dns.rdatatype.SOA] * 2


def test_a_large_answer_is_cut_over_udp_and_whole_over_tcp(layout: RunLayout) -> None:
    """Without EDNS more than 512 bytes set TC; TCP carries all."""
    (short,) = asyncio.run(_ask(layout, ("many.dr-drill.example.", "TXT")))
    (whole,) = asyncio.run(_ask(layout, ("many.dr-drill.example.", "TXT"), tcp=True))
    assert short.flags & dns.flags.TC
    assert len(whole.answer[0]) == 30


def test_the_asked_spelling_is_echoed(layout: RunLayout) -> None:
    """A resolver that randomises case (0x20) gets its own spelling back."""
    (found,) = asyncio.run(_ask(layout, ("aPi.DR-drill.example.", "A")))
    assert found.answer[0].name.to_text() == "aPi.DR-drill.example."


def test_nonsense_is_answered_or_ignored_but_never_fatal(layout: RunLayout) -> None:
    """A header with garbage is a format error; what is too short, or itself an answer, gets none."""
    server = DnsServer(layout.dns, answering)
    garbage = server.respond(b"\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\xff\xff\xff")
    assert garbage is not None
    assert (garbage[:2], garbage[3] & 0xF, len(garbage)) == (b"\x12\x34", dns.rcode.FORMERR, 12)
    assert server.respond(b"\x12") is None
    answer = server.respond(dns.message.make_query(NAME, "A").to_wire())
    assert answer is not None
    assert server.respond(answer) is None


@pytest.mark.skipif(shutil.which("dig") is None, reason="dig is not installed")
def test_dig_agrees(layout: RunLayout) -> None:
    """The tool an auditor would use reads the same answer."""

    async def ask() -> bytes:
        async with DnsServer(layout.dns, answering):
            dig = await asyncio.create_subprocess_exec(
                "dig", "+short", f"@{layout.dns.host}", "-p", str(layout.dns.port), NAME, "A",
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            said, _ = await dig.communicate()
            return said

    assert asyncio.run(ask()) == b"127.0.0.7\n"


def test_an_answer_costs_little(layout: RunLayout) -> None:
    """4,000 answers a second want less than 250 us each: the work without the socket stays far below, even here."""
    server = DnsServer(layout.dns, answering)
    packets = [dns.message.make_query(NAME, "A").to_wire() for _ in range(500)]
    began = time.thread_time()
    assert all(server.respond(p) for p in packets)
    assert (time.thread_time() - began) / len(packets) < 100e-6
