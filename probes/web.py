"""HTTP as probes speak it: one kept connection a probe, no retries, short time-outs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import urlsplit

import msgspec
import urllib3

from infra_fixtures.targets.world import Endpoint
from traffic.contract import Request
from traffic.template import Template

TIMEOUT = urllib3.Timeout(connect=1.0, read=2.0)


class ProbeRefused(Exception):
    """The endpoint answered with something else than asked for; the message names what."""


class Client:
    """JSON over HTTP to one endpoint; leaving it as a context closes its connection."""

    def __init__(self, endpoint: Endpoint, timeout: urllib3.Timeout = TIMEOUT) -> None:
        self._endpoint = endpoint
        self._pool = urllib3.PoolManager(retries=False, timeout=timeout, maxsize=2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *of: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; a later question opens another."""
        self._pool.clear()

    def send(self, request: Request, **values: int) -> Any:
        """The decoded JSON answer to a request of a contract, its placeholders filled in.

        ProbeRefused for a status that is not expected, urllib3's HTTPError for a dead line.
        """
        return self.exchange(request, Template(request.path).path(values), **values)[0]

    def exchange(self, request: Request, path: str, **values: int) -> tuple[Any, Mapping[str, str]]:
        """The same at another `path` of the endpoint (of a URL, its path and query), with the answer's headers."""
        response = self._pool.request(
            request.method,
            self.url_of(path),
            body=Template("", request.body).body(values),
            headers={"content-type": "application/json", **self._endpoint.headers, **request.headers},
            redirect=False,
        )
        if response.status not in request.expect:
            said = response.data[:200].decode(errors="replace")
            raise ProbeRefused(f"{request.method} {path}: {response.status} {said}")
        try:
            return msgspec.json.decode(response.data), response.headers
        except msgspec.MsgspecError as e:
            raise ProbeRefused(f"{request.method} {path}: the answer is no JSON ({e})") from e

    def url_of(self, path: str) -> str:
        """Where a path of the endpoint is; another's URL becomes one of this endpoint, which alone is given the headers."""
        if path.startswith("/"):
            return self._endpoint.url + path
        own = urlsplit(self._endpoint.url)
        return urlsplit(path)._replace(scheme=own.scheme, netloc=own.netloc, fragment="").geturl()

    def status(self, path: str) -> int:
        """The status of a GET, or 0 where nothing answers."""
        try:
            return int(self._pool.request("GET", self._endpoint.url + path, headers=self._endpoint.headers).status)
        except urllib3.exceptions.HTTPError:
            return 0
