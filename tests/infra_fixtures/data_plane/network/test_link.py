"""Links carry, slow, darken, refuse and reset real TCP connections."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from drill.unusable import UnusableInput
from drill.wait import await_until
from infra_fixtures.data_plane.network.conditions import OPEN, Conditions, Passage, Way, read_request
from infra_fixtures.data_plane.network.link import Link
from infra_fixtures.site import Address, Site

DARK = Conditions(Way(black_hole=True), Way(black_hole=True))
NOT_YET_S = 0.15
"""How long something that must not happen is watched for."""

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.write(b"bye")
        writer.close()


@contextlib.asynccontextmanager
async def _linked(site: Site) -> AsyncIterator[tuple[Link, Callable[[], Awaitable[Stream]]]]:
    """An echo server behind a link, and a way to dial the link."""
    region = site.primary
    server = await asyncio.start_server(_echo, region.node.host, region.node.port)
    link = Link("writer", region.writer, region.node)
    link.start()
    streams: list[Stream] = []

    async def dial() -> Stream:
        stream = await asyncio.open_connection(region.writer.host, region.writer.port)
        streams.append(stream)
        return stream

    try:
        yield link, dial
    finally:
        for _reader, writer in streams:
            writer.transport.abort()
        link.close()
        server.close()


async def _said(stream: Stream, data: bytes) -> bytes:
    reader, writer = stream
    writer.write(data)
    async with asyncio.timeout(5):
        return await reader.readexactly(len(data))


async def _silent(stream: Stream) -> bool:
    """Whether nothing comes, neither bytes nor an end."""
    try:
        async with asyncio.timeout(NOT_YET_S):
            await stream[0].read(1)
    except TimeoutError:
        return True
    except OSError:
        return False
    return False


def test_carries_bytes_and_ends(site: Site) -> None:
    """Megabytes come back whole, and a half-closed connection still delivers the answer."""

    async def scene() -> None:
        async with _linked(site) as (link, dial):
            stream = await dial()
            payload = bytes(range(256)) * 8192
            assert await _said(stream, payload) == payload
            stream[1].write_eof()
            assert await stream[0].read() == b"bye"
            stream[1].close()

            async def all_closed() -> bool:
                return link.flows == 0

            await await_until(all_closed, what="the link to let go", timeout_s=2)
            assert link.bytes_up == len(payload)

    asyncio.run(scene())


def test_latency_holds_each_way(site: Site) -> None:
    """20 ms each way is a 40 ms round trip, and taking it off is felt at once."""

    async def scene() -> None:
        async with _linked(site) as (link, dial):
            stream = await dial()
            await _said(stream, b"warm")
            link.set_conditions(Conditions(Way(latency_ms=20), Way(latency_ms=20)))
            began = time.monotonic()
            await _said(stream, b"slow")
            slow = time.monotonic() - began
            link.set_conditions(Conditions())
            began = time.monotonic()
            await _said(stream, b"fast")
            fast = time.monotonic() - began
            assert 0.040 <= slow < 0.080
            assert fast < 0.020

    asyncio.run(scene())


def test_bandwidth_limits_and_keeps_order(site: Site) -> None:
    """200 kB through 1 MB/s take 0.2 s, whole, in order, end of stream last."""

    async def scene() -> None:
        async with _linked(site) as (link, dial):
            stream = await dial()
            link.set_conditions(Conditions(up=Way(bandwidth=1_000_000, jitter_ms=5)))
            payload = bytes(range(250)) * 800
            began = time.monotonic()
            stream[1].write(payload)
            stream[1].write_eof()
            async with asyncio.timeout(5):
                assert await stream[0].read() == payload + b"bye"
            assert 0.19 <= time.monotonic() - began < 0.6

    asyncio.run(scene())


def test_black_hole_hangs_and_healing_resets(site: Site) -> None:
    """In the dark nothing comes and nobody is told; afterwards old connections are reset and waiting ones go through."""

    async def scene() -> None:
        async with _linked(site) as (link, dial):
            old = await dial()
            await _said(old, b"before")
            link.set_conditions(DARK)
            old[1].write(b"lost")
            new = await dial()
            new[1].write(b"held")
            assert all(await asyncio.gather(_silent(old), _silent(new)))
            link.set_conditions(Conditions())
            async with asyncio.timeout(2):
                assert await new[0].readexactly(4) == b"held"
                with pytest.raises(ConnectionResetError):
                    await old[0].read(1)

    asyncio.run(scene())


def test_one_way_darkness(site: Site) -> None:
    """With only the way down dark, the target still hears the client, which hears nothing."""

    async def scene() -> None:
        async with _linked(site) as (link, dial):
            stream = await dial()
            await _said(stream, b"before")
            carried = link.bytes_up
            link.set_conditions(Conditions(down=Way(black_hole=True)))
            stream[1].write(b"heard")
            assert await _silent(stream)
            assert link.bytes_up == carried + len(b"heard")

    asyncio.run(scene())


def test_client_that_gives_up_in_the_dark_is_let_go(site: Site) -> None:
    """Connections that nobody waits for any more do not pile up."""

    async def scene() -> None:
        async with _linked(site) as (link, dial):
            link.set_conditions(DARK)
            stream = await dial()
            stream[1].write(b"anyone?")

            async def flows(count: int) -> bool:
                return link.flows == count

            await await_until(lambda: flows(1), what="the connection", timeout_s=2)
            stream[1].close()
            await await_until(lambda: flows(0), what="the link to let go", timeout_s=2)

    asyncio.run(scene())


def test_refusing_spares_the_established(site: Site) -> None:
    """A refusing link turns newcomers away, keeps the established, and takes newcomers again."""

    async def scene() -> None:
        async with _linked(site) as (link, dial):
            stream = await dial()
            await _said(stream, b"before")
            link.set_conditions(Conditions(refuse=True))
            with pytest.raises(ConnectionRefusedError):
                await dial()
            assert await _said(stream, b"still") == b"still"
            link.set_conditions(Conditions())
            assert await _said(await dial(), b"again") == b"again"

    asyncio.run(scene())


def test_endpoint_without_a_role_refuses_and_resets(site: Site) -> None:
    """A secondary's writer endpoint leads nowhere, also for those connected when it lost the role."""

    async def scene() -> None:
        async with _linked(site) as (link, dial):
            stream = await dial()
            await _said(stream, b"before")
            link.set_active(False)
            with pytest.raises(ConnectionResetError):
                await _said(stream, b"after")
            with pytest.raises(ConnectionRefusedError):
                await dial()

    asyncio.run(scene())


def test_security_group_spares_tracked_connections_and_nacl_does_not(site: Site) -> None:
    """A revoked group rule keeps tracked connections and hangs newcomers; a network ACL cuts both; both heal."""

    async def scene() -> None:
        async with _linked(site) as (link, dial):
            tracked = await dial()
            await _said(tracked, b"before")
            link.set_passages([Passage(opens=False, tracked=True, stateless=True)])
            newcomer = await dial()
            newcomer[1].write(b"SYN?")
            assert await _silent(newcomer)
            assert await _said(tracked, b"still") == b"still"
            link.set_passages([Passage(opens=True, tracked=True, stateless=False)])
            tracked[1].write(b"lost")
            assert await _silent(tracked)
            assert await _silent(newcomer)
            link.set_passages([OPEN])
            async with asyncio.timeout(2):
                assert await newcomer[0].readexactly(4) == b"SYN?"

    asyncio.run(scene())


def test_target_that_refuses_resets_the_client(site: Site) -> None:
    """Where nobody listens behind the link, the client is told so."""

    async def scene() -> None:
        region = site.primary
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


def test_request_for_conditions_is_understood_or_refused() -> None:
    """Short forms stand for both directions, what is not named stays, an unknown word is named."""
    present = Conditions(up=Way(latency_ms=5))
    cut = read_request(b'{"cut": true}').applied_to(present)
    assert cut.dark
    assert cut.up.latency_ms == 5
    assert read_request(b'{"cut": false}').applied_to(cut) == present
    slow = read_request(b'{"latency_ms": 30, "down": {"bandwidth": 1000}}').applied_to(present)
    assert (slow.up.latency_ms, slow.down.latency_ms, slow.down.bandwidth) == (30, 30, 1000)
    with pytest.raises(UnusableInput, match="latencyms"):
        read_request(b'{"latencyms": 30}')
    with pytest.raises(UnusableInput, match="negative"):
        read_request(b'{"latency_ms": -1}')


def test_address_taken_is_an_error(site: Site) -> None:
    """A link says so when its address is in use."""

    async def scene() -> None:
        first = Link("edge", site.primary.edge, site.primary.gateway)
        first.start()
        second = Link("edge", Address(site.primary.edge.host, site.primary.edge.port), site.primary.gateway)
        try:
            with pytest.raises(OSError, match="in use"):
                second.start()
        finally:
            second.close()
            first.close()

    asyncio.run(scene())
