"""An echo server behind a link, and what tests do with its connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from infra_fixtures.data_plane.network.link import Link
from infra_fixtures.run_layout import RunLayout

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
async def linked(layout: RunLayout) -> AsyncIterator[tuple[Link, Callable[[], Awaitable[Stream]]]]:
    """An echo server behind a link, and a way to dial the link."""
    region = layout.primary
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


async def said(stream: Stream, data: bytes) -> bytes:
    """Send bytes and wait for their echo."""
    reader, writer = stream
    writer.write(data)
    async with asyncio.timeout(5):
        return await reader.readexactly(len(data))


async def silent(stream: Stream) -> bool:
    """Whether nothing comes, neither bytes nor an end."""
    try:
        async with asyncio.timeout(NOT_YET_S):
            await stream[0].read(1)
    except TimeoutError:
        return True
    except OSError:
        return False
    return False
