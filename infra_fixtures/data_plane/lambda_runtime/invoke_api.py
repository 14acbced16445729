"""Lambda's Invoke API over HTTP, as the AWS SDKs call it: signed by an access key of the run.

Source: AWS Lambda API reference, "Invoke": statuses, headers and error bodies.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import unquote

import msgspec
from aiohttp import web

from infra_fixtures.access.authentication import KnownKey, NotAuthenticated, authenticate
from infra_fixtures.access.refusals import JSON as REFUSED
from infra_fixtures.data_plane.lambda_runtime.invocation import InvokeResult
from infra_fixtures.run_layout import Address

PREFIX = "/2015-03-31/functions/"
SUFFIX = "/invocations"
MOST_SYNCHRONOUS_BYTES = 6 * 1024 * 1024
MOST_ASYNCHRONOUS_BYTES = 1024 * 1024


class Invoker(Protocol):
    """The Lambda service as the Invoke API needs it."""

    async def invoke(
        self,
        function_name: str,
        payload: bytes,
        *,
        asynchronous: bool = False,
        qualifier: str | None = None,
        client_context: str | None = None,
    ) -> InvokeResult:
        """Run or queue an invocation."""

    def find(self, function_name: str, qualifier: str | None = None) -> InvokeResult | None:
        """None where there is such a function, else the refusal."""


async def serve(address: Address, invoker: Invoker, known: KnownKey) -> web.ServerRunner:
    """Serve the Invoke API on `address`; the runner's cleanup() ends it."""
    runner = web.ServerRunner(web.Server(_handler(invoker, known), access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, address.host, address.port).start()
    return runner


def _handler(invoker: Invoker, known: KnownKey) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        if request.method != "POST" or not (path.startswith(PREFIX) and path.rstrip("/").endswith(SUFFIX)):
            return _error(404, "UnknownOperationException", "only Invoke is served here")
        function = unquote(path.rstrip("/")[len(PREFIX) : -len(SUFFIX)])
        payload = await request.read()
        try:
            authenticate(known, request.method, request.raw_path, request.headers, payload)
        except NotAuthenticated as e:
            return _error(403, REFUSED[e.failure], str(e))
        kind = request.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        most = MOST_ASYNCHRONOUS_BYTES if kind == "Event" else MOST_SYNCHRONOUS_BYTES
        if len(payload) > most:
            return _error(
                413,
                "RequestTooLargeException",
                f"Request must be smaller than {most} bytes for the InvokeFunction operation",
            )
        if payload and not _is_json(payload):
            return _error(400, "InvalidRequestContentException", "Could not parse request body into json")
        qualifier = request.query.get("Qualifier")
        if kind == "DryRun":
            return _answer(invoker.find(function, qualifier) or InvokeResult(204), log=False)
        if kind not in ("Event", "RequestResponse"):
            return _error(400, "InvalidParameterValueException", f"{kind} is no invocation type")
        try:
            context = request.headers.get("X-Amz-Client-Context")
            client_context = base64.b64decode(context, validate=True).decode() if context else None
        except (binascii.Error, UnicodeDecodeError):
            return _error(400, "InvalidRequestContentException", "Client context must be a valid Base64-encoded string")
        result = await invoker.invoke(
            function, payload or b"{}", asynchronous=kind == "Event", qualifier=qualifier, client_context=client_context
        )
        return _answer(result, log=request.headers.get("X-Amz-Log-Type") == "Tail")

    return handle


def _is_json(payload: bytes) -> bool:
    try:
        msgspec.json.decode(payload)
    except msgspec.MsgspecError:
        return False
    return True


def _answer(result: InvokeResult, *, log: bool) -> web.Response:
    headers = {"x-amzn-RequestId": result.request_id, "Content-Type": "application/json"}
    if result.error_type is not None:
        headers["x-amzn-ErrorType"] = result.error_type
    elif result.status == 200:
        headers["X-Amz-Executed-Version"] = result.executed_version
        if result.function_error is not None:
            headers["X-Amz-Function-Error"] = result.function_error
        if log:
            headers["X-Amz-Log-Result"] = base64.b64encode(result.log_tail).decode()
    return web.Response(status=result.status, body=result.payload, headers=headers)


def _error(status: int, error_type: str, message: str) -> web.Response:
    body = msgspec.json.encode({"Type": "User", "message": message})
    return web.Response(status=status, body=body, headers={"x-amzn-ErrorType": error_type})
