"""What answers an API call behind the front: a call, an answer, and a backend reached over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import aiohttp
from multidict import CIMultiDict, MultiMapping
from yarl import URL

HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection", "expect"}
)
"""Headers that belong to one connection (RFC 9110 7.6.1); `expect` was answered by the front."""


@dataclass(frozen=True, slots=True)
class Call:
    """An API request as it arrived: `raw_path` still percent-encoded, with its query; `body` whole and de-chunked."""

    method: str
    raw_path: str
    headers: MultiMapping[str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What a backend says to a call; headers without those of the connection."""

    status: int
    headers: CIMultiDict[str]
    body: bytes


class Backend(Protocol):
    """Whoever can answer API calls."""

    async def answer(self, call: Call) -> Answer:
        """Answer a call; raises BackendUnreachable where nobody is there."""


class BackendUnreachable(ConnectionError):
    """Nobody answers behind the front."""


class HttpBackend:
    """A backend at an http URL; connections to it are kept and reused."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def answer(self, call: Call) -> Answer:
        """Send the call on and return its answer."""
        headers = CIMultiDict((k, v) for k, v in call.headers.items() if k.lower() not in HOP_BY_HOP)
        headers.popall("content-length", None)
        try:
            async with self._session.request(
                call.method,
                URL(self._url + call.raw_path, encoded=True),
                headers=headers,
                data=call.body or None,
                allow_redirects=False,
                skip_auto_headers=("Content-Type", "User-Agent", "Accept", "Accept-Encoding"),
            ) as response:
                body = await response.read()
        except aiohttp.ClientError as e:
            raise BackendUnreachable(f"{self._url} does not answer: {e}") from e
        kept = CIMultiDict((k, v) for k, v in response.headers.items() if k.lower() not in HOP_BY_HOP)
        if call.method != "HEAD":
            kept.popall("content-length", None)
        return Answer(response.status, kept, body)


def fault(call: Call, status: int, code: str, message: str) -> Answer:
    """An error every SDK understands, in the protocol of the call."""
    kind = {k.lower(): v for k, v in call.headers.items()}.get("content-type", "")
    headers: CIMultiDict[str] = CIMultiDict({"x-amzn-errortype": code})
    if "json" in kind:
        headers["content-type"] = "application/json"
        quoted = message.replace("\\", "/").replace('"', "'").replace("\n", " ")
        return Answer(status, headers, f'{{"__type":"{code}","message":"{quoted}"}}'.encode())
    headers["content-type"] = "text/xml"
    escaped = message.replace("&", "&amp;").replace("<", "&lt;")
    error = f"<Error><Code>{code}</Code><Message>{escaped}</Message></Error>"
    return Answer(status, headers, f"<ErrorResponse>{error}<RequestId>0</RequestId></ErrorResponse>".encode())
