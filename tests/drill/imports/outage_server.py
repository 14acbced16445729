"""An HTTP server of one known outage, for load tools to be run against: `python outage_server.py PORT UP_S DOWN_S HOW`.

It serves for UP_S seconds, is down for DOWN_S, serves again, and prints the truth, in milliseconds since the epoch, as one
line of JSON. HOW: "503" answers so, "hang" never answers what arrived in the outage, "refuse" closes the port, "blackhole" lets
no connection come about, as a lost region does. It ends by itself after LIFE_S seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
import time

LIFE_S = 120.0
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
DOWN = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


UNREACHABLE = ("refuse", "blackhole")


class Outage:
    """The server's state: whether it is down, and what hangs because of it."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.down = False
        self.hanging: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer every request of a connection."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length")), 0
                )
                await reader.readexactly(length)
                if self.down and self.how == "hang":
                    self.hanging.append(writer)
                    return
                if self.down and self.how in UNREACHABLE:
                    break
                writer.write(DOWN if self.down else OK)
                await writer.drain()
        writer.close()


def blackhole(port: int) -> list[socket.socket]:
    """A port whose queue of connections is full, so that the kernel drops what asks for another."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for each in waiting:
        each.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            each.connect(("127.0.0.1", port))
    return [listening, *waiting]


async def run(port: int, up_s: float, down_s: float, how: str) -> None:
    """Play the outage and print the truth."""
    state = Outage(how)
    server = await asyncio.start_server(state.serve, "127.0.0.1", port, backlog=4096)
    await asyncio.sleep(up_s)
    began = time.time()
    state.down = True
    if how in UNREACHABLE:
        server.close()
    full = blackhole(port) if how == "blackhole" else []
    down = time.time()
    await asyncio.sleep(down_s)
    up_from = time.time()
    for each in full:
        each.close()
    if how in UNREACHABLE:
        server = await asyncio.start_server(state.serve, "127.0.0.1", port, backlog=4096, reuse_address=True)
    state.down = False
    up_by = time.time()
    truth = {"down_ms": [began * 1e3, down * 1e3], "up_ms": [up_from * 1e3, up_by * 1e3]}
    sys.stdout.write(json.dumps(truth) + "\n")
    sys.stdout.flush()
    await asyncio.sleep(LIFE_S - up_s - down_s)


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
