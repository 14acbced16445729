"""HTTP as probes speak it: one kept connection a probe, no retries, short time-outs."""

from __future__ import annotations

from typing import Any, Self

import msgspec
import urllib3

from infra_fixtures.targets.world import Endpoint

TIMEOUT = urllib3.Timeout(connect=1.0, read=2.0)


class ProbeRefused(Exception):
    """The endpoint answered with something else than asked for; the message names what."""


class Client:
    """JSON over HTTP to one endpoint; leaving it as a context closes its connection."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._pool = urllib3.PoolManager(retries=False, timeout=TIMEOUT, maxsize=2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *of: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; a later question opens another."""
        self._pool.clear()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded JSON answer to a 2xx; ProbeRefused for any other status, urllib3's HTTPError for a dead line."""
        response = self._pool.request(
            method,
            self._endpoint.url + path,
            body=None if body is None else msgspec.json.encode(body),
            headers={"content-type": "application/json", **self._endpoint.headers},
        )
        if not 200 <= response.status < 300:
            raise ProbeRefused(f"{method} {path}: {response.status} {response.data[:200].decode(errors='replace')}")
        return msgspec.json.decode(response.data)

    def status(self, path: str) -> int:
        """The status of a GET, or 0 where nothing answers."""
        try:
            return int(self._pool.request("GET", self._endpoint.url + path, headers=self._endpoint.headers).status)
        except urllib3.exceptions.HTTPError:
            return 0
