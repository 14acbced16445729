"""A lean caller of AWS's JSON-protocol services, for what the data plane writes often and in bulk: logs and metrics.

boto3 validates and signs every field of every log event, in a thread that takes the interpreter away from the event
loop; at hundreds of invocations a second that is felt. This posts a ready document from the loop itself.
"""

from __future__ import annotations

from typing import Any

import aiohttp
import msgspec

from infra_fixtures.access import sigv4
from infra_fixtures.internal_api.own_http import own_session
from infra_fixtures.run_layout import RunLayout

TIMEOUT_S = 10.0


class AwsError(Exception):
    """The AWS API answered with an error; `code` is its name, such as ResourceNotFoundException."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class JsonService:
    """One AWS service of one region, spoken to through the internal endpoint.

    `scope` is the service's signing name, `target` the prefix of X-Amz-Target, `version` of application/x-amz-json.
    """

    def __init__(self, layout: RunLayout, region: str, *, scope: str, target: str, version: str) -> None:
        self._url = layout.internal.url + "/"
        self._target = target
        self._content_type = f"application/x-amz-json-{version}"
        self._key, self._host = layout.credentials.reconciler, str(layout.internal)
        self._region, self._scope = region, scope
        self._session: aiohttp.ClientSession | None = None

    async def call(self, operation: str, document: dict[str, Any]) -> None:
        """Do `operation`; raises AwsError where AWS says no, aiohttp.ClientError or TimeoutError where it is silent."""
        if self._session is None:
            self._session = own_session(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        body = msgspec.json.encode(document)
        headers = {
            "Content-Type": self._content_type,
            "X-Amz-Target": f"{self._target}.{operation}",
            **sigv4.sign(
                self._key, "POST", self._host, "/",
                region=self._region, service=self._scope, payload=sigv4.digest(body),
            ),
        }  # fmt: skip
        async with self._session.post(self._url, data=body, headers=headers) as response:
            said = await response.read()
            if response.status < 300:
                return
        raise _error_of(response.status, said)

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _error_of(status: int, body: bytes) -> AwsError:
    try:
        said = msgspec.json.decode(body)
        code = str(said["__type"]).rpartition("#")[2]
        return AwsError(code, str(said.get("message") or said.get("Message") or ""))
    except (msgspec.MsgspecError, KeyError, TypeError, AttributeError):
        return AwsError(f"HTTP{status}", body[:200].decode(errors="replace"))
