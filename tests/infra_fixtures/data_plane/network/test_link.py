"""Links carry, slow, cut, refuse and reset real TCP connections."""

from __future__ import annotations

import asyncio
import os
import socket
import time

import pytest

from drill.wait import await_until
from infra_fixtures.data_plane.network.conditions import OPEN, Reachability
from infra_fixtures.data_plane.network.control import link_state
from infra_fixtures.data_plane.network.link import Link
from infra_fixtures.link_rule import LinkRule
from infra_fixtures.run_layout import Address, RunLayout
from tests.infra_fixtures.data_plane.network.linked import linked, said, silent

CUT = LinkRule(cut=True)


def test_carries_bytes_and_ends(layout: RunLayout) -> None:
    """Megabytes come back whole, and a half-closed connection still delivers the answer."""

    async def scene() -> None:
        async with linked(layout) as (link, dial):
            stream = await dial()
            payload = bytes(range(256)) * 8192
            assert await said(stream, payload) == payload
            stream[1].write_eof()
            assert await stream[0].read() == b"bye"
            stream[1].close()

            async def all_closed() -> bool:
                return link.flows == 0

            await await_until(all_closed, what="the link to close its connections", timeout_s=2)
            assert link.bytes_up == len(payload)

    asyncio.run(scene())


def test_latency_holds_each_way(layout: RunLayout) -> None:
    """20 ms each way is a 40 ms round trip, and taking it off is felt at once."""

    async def scene() -> None:
        async with linked(layout) as (link, dial):
            stream = await dial()
            await said(stream, b"warm")
            link.put_rule("slow", LinkRule(latency_ms=20))
            began = time.monotonic()
            await said(stream, b"slow")
            slow = time.monotonic() - began
            link.remove_rule("slow")
            began = time.monotonic()
            await said(stream, b"fast")
            fast = time.monotonic() - began
            assert 0.040 <= slow < 0.080
            assert fast < 0.020

    asyncio.run(scene())


def test_bandwidth_limits_and_keeps_order(layout: RunLayout) -> None:
    """200 kB through 1 MB/s take 0.2 s, whole, in order, end of stream last."""

    async def scene() -> None:
        async with linked(layout) as (link, dial):
            stream = await dial()
            link.put_rule("narrow", LinkRule(direction="up", bandwidth=1_000_000, jitter_ms=5))
            payload = bytes(range(250)) * 800
            began = time.monotonic()
            stream[1].write(payload)
            stream[1].write_eof()
            async with asyncio.timeout(5):
                assert await stream[0].read() == payload + b"bye"
            assert 0.19 <= time.monotonic() - began < 0.6

    asyncio.run(scene())


def test_black_hole_hangs_and_healing_resets(layout: RunLayout) -> None:
    """While it is cut nothing comes and nobody is told; afterwards old connections are reset and waiting ones go through."""

    async def scene() -> None:
        async with linked(layout) as (link, dial):
            old = await dial()
            await said(old, b"before")
            link.put_rule("cut", CUT)
            old[1].write(b"lost")
            new = await dial()
            new[1].write(b"held")
            assert all(await asyncio.gather(silent(old), silent(new)))
            link.remove_rule("cut")
            async with asyncio.timeout(2):
                assert await new[0].readexactly(4) == b"held"
                with pytest.raises(ConnectionResetError):
                    await old[0].read(1)

    asyncio.run(scene())


def test_one_way_cut(layout: RunLayout) -> None:
    """With only the way down cut, the target still hears the client, which hears nothing."""

    async def scene() -> None:
        async with linked(layout) as (link, dial):
            stream = await dial()
            await said(stream, b"before")
            carried = link.bytes_up
            link.put_rule("cut", LinkRule(direction="down", cut=True))
            stream[1].write(b"heard")
            assert await silent(stream)
            assert link.bytes_up == carried + len(b"heard")

    asyncio.run(scene())


def test_client_that_gives_up_on_a_cut_link_is_disconnected(layout: RunLayout) -> None:
    """Connections that nobody waits for any more do not pile up."""

    async def scene() -> None:
        async with linked(layout) as (link, dial):
            link.put_rule("cut", CUT)
            stream = await dial()
            stream[1].write(b"anyone?")

            async def flows(count: int) -> bool:
                return link.flows == count

            await await_until(lambda: flows(1), what="the connection", timeout_s=2)
            stream[1].close()
            await await_until(lambda: flows(0), what="the link to close its connections", timeout_s=2)

    asyncio.run(scene())


def test_refusing_spares_the_established(layout: RunLayout) -> None:
    """A refusing link turns newcomers away, keeps the established, and takes newcomers again."""

    async def scene() -> None:
        async with linked(layout) as (link, dial):
            stream = await dial()
            await said(stream, b"before")
            link.put_rule("refuse", LinkRule(refuse=True))
            with pytest.raises(ConnectionRefusedError):
                await dial()
            assert await said(stream, b"still") == b"still"
            link.remove_rule("refuse")
            assert await said(await dial(), b"again") == b"again"

    asyncio.run(scene())


def test_endpoint_without_a_role_refuses_and_resets(layout: RunLayout) -> None:
    """A secondary's writer endpoint leads nowhere, also for those connected when it lost the role."""

    async def scene() -> None:
        async with linked(layout) as (link, dial):
            stream = await dial()
            await said(stream, b"before")
            link.set_active(False)
            with pytest.raises(ConnectionResetError):
                await said(stream, b"after")
            with pytest.raises(ConnectionRefusedError):
                await dial()

    asyncio.run(scene())


def test_security_group_spares_tracked_connections_and_nacl_does_not(layout: RunLayout) -> None:
    """A revoked group rule keeps tracked connections and hangs newcomers; a network ACL cuts both; both heal."""

    async def scene() -> None:
        async with linked(layout) as (link, dial):
            tracked = await dial()
            await said(tracked, b"before")
            link.set_source_reachability([Reachability(opens=False, tracked=True, stateless=True)])
            newcomer = await dial()
            newcomer[1].write(b"SYN?")
            assert await silent(newcomer)
            assert await said(tracked, b"still") == b"still"
            link.set_source_reachability([Reachability(opens=True, tracked=True, stateless=False)])
            tracked[1].write(b"lost")
            assert await silent(tracked)
            assert await silent(newcomer)
            link.set_source_reachability([OPEN])
            async with asyncio.timeout(2):
                assert await newcomer[0].readexactly(4) == b"SYN?"

    asyncio.run(scene())


def test_target_that_refuses_resets_the_client(layout: RunLayout) -> None:
    """Where nobody listens behind the link, the client is told so."""

    async def scene() -> None:
        region = layout.primary
        link = Link("reader", region.reader, region.node)
        link.start()
        try:
            reader, writer = await asyncio.open_connection(region.reader.host, region.reader.port)
            async with asyncio.timeout(2):
                with pytest.raises(ConnectionResetError):
                    await reader.read(1)
            writer.close()
        finally:
            link.close()

    asyncio.run(scene())


@pytest.mark.parametrize("way", ["rule", "role"])
def test_nobody_else_can_listen_where_a_link_refuses(layout: RunLayout, way: str) -> None:
    """Clients are refused, the address stays the link's own, and healing makes it listen again at once."""

    async def scene() -> None:
        async with linked(layout) as (link, dial):
            if way == "rule":
                link.put_rule("refuse", LinkRule(refuse=True))
            else:
                link.set_active(False)
            for reuse in (0, 1):
                with socket.socket() as other:
                    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
                    with pytest.raises(OSError, match="in use"):
                        other.bind((link.listen.host, link.listen.port))
            with pytest.raises(ConnectionRefusedError):
                await dial()
            if way == "rule":
                link.remove_rule("refuse")
            else:
                link.set_active(True)
            assert await said(await dial(), b"again") == b"again"

    asyncio.run(scene())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket to another user")
def test_another_user_behind_a_link_hears_nothing(layout: RunLayout) -> None:
    """The client is reset as where nobody listens, no byte of it arrives, and the link counts it; its owner is served."""

    async def scene() -> None:
        region = layout.primary
        with socket.create_server((region.gateway.host, region.gateway.port)) as stranger:
            os.fchown(stranger.fileno(), 12345, 12345)
            for owner, strangers in ((None, 1), (12345, 0)):
                link = Link("edge", region.edge, region.gateway, owner)
                link.start()
                reader, writer = await asyncio.open_connection(region.edge.host, region.edge.port)
                writer.write(b"the API key")

                async def decided(link: Link = link) -> bool:
                    return bool(link.strangers or link.bytes_up)

                await await_until(decided, what="the link to look behind it", timeout_s=2)
                heard, _ = stranger.accept()
                if strangers:
                    with pytest.raises(ConnectionResetError):
                        heard.recv(100)
                    with pytest.raises(ConnectionResetError):
                        await reader.read(1)
                else:
                    assert heard.recv(100) == b"the API key"
                heard.close()
                assert link_state(link)["strangers"] == strangers
                writer.transport.abort()
                link.close()

    asyncio.run(scene())


def test_address_taken_is_an_error(layout: RunLayout) -> None:
    """A link says so when its address is in use."""

    async def scene() -> None:
        first = Link("edge", layout.primary.edge, layout.primary.gateway)
        first.start()
        second = Link("edge", Address(layout.primary.edge.host, layout.primary.edge.port), layout.primary.gateway)
        try:
            with pytest.raises(OSError, match="in use"):
                second.start()
        finally:
            second.close()
            first.close()

    asyncio.run(scene())
