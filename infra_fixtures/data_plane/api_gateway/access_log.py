"""The gateway's access log: one JSON line a request, written in the background.

Fields are those of $context that an access log of API Gateway usually names; an API key's value is never among them.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

WRITE_EVERY_S = 0.5


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One request; times in ms, `error` the gateway response's type where the gateway answered by itself."""

    request_time_epoch: int
    request_id: str
    ip: str
    domain_name: str
    http_method: str
    path: str
    status: int
    response_length: int
    response_latency: float
    integration_latency: float | None = None
    stage: str = ""
    resource_path: str = ""
    api_key_id: str | None = None
    integration_request_id: str = ""
    error: str = ""
    error_detail: str = ""


class AccessLog:
    """Appends to `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._buffered: list[Entry] = []
        self._encoder = msgspec.json.Encoder()

    def note(self, entry: Entry) -> None:
        """Note one request."""
        self._buffered.append(entry)

    async def run(self) -> None:
        """Write what was noted, until cancelled."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            self.write()

    def write(self) -> None:
        """Write what was noted now."""
        buffered, self._buffered = self._buffered, []
        if buffered:
            with self._path.open("ab") as f:
                f.write(self._encoder.encode_lines(buffered))
