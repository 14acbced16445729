"""The front of the AWS API: a listener a region, a global one and an internal one, before the emulators and Lambda.

It refuses calls that none of the run's access keys signed, says which region a call belongs to, refuses what belongs to a
region that is down, tells reconcilers of every change before the caller has its answer, and passes the rest through
untouched. `internal`, which no region's loss takes away, takes the reconcilers' key alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import re
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from drill.unusable import UnusableInput
from infra_fixtures.access.authentication import NotAuthenticated, authenticate, require_known_key
from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.access.held_address import HeldAddress
from infra_fixtures.control_plane.attribution import CallScope, scope_of
from infra_fixtures.control_plane.automation.service import OPERATIONS, Automation
from infra_fixtures.control_plane.backend import Answer, Backend, BackendUnreachable, Call, HttpBackend, fault
from infra_fixtures.control_plane.change_stream import ChangeStream
from infra_fixtures.control_plane.emulators import Emulators
from infra_fixtures.control_plane.fis.service import Fis
from infra_fixtures.control_plane.moto_server import Moto
from infra_fixtures.control_plane.operations import operation_of, service_of
from infra_fixtures.control_plane.refused_signature import refusal
from infra_fixtures.control_plane.trail import trail_of
from infra_fixtures.global_services import GLOBAL
from infra_fixtures.internal_api.own_http import own_session
from infra_fixtures.run_layout import Address, RunLayout

log = logging.getLogger(__name__)

ADMIN_PREFIX = "/_drill/"
MAX_HEADER_BYTES = 65_536
BACKLOG = 1024
FIS_LIMIT_S = 1.0
"""How long experiments that still run have to put back what they did, when the run ends."""
_INVOKE = re.compile(r"/2015-03-31/functions/[^/]+/invocations/?(\?|$)")

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Front:
    """Everything the run's AWS API consists of, as seen from outside; `admin` answers what only the harness may ask."""

    def __init__(self, layout: RunLayout, moto: Moto, changes: ChangeStream) -> None:
        self.layout = layout
        self.moto = moto
        self.changes = changes
        self.trail = trail_of(layout.account_id)
        self.emulators = Emulators(layout.emulators)
        self.fis = Fis(layout, changes.emit)
        self._automations = {
            name: Automation(layout, name, gate, self.fis.events) for name, gate in self.fis.gates.items()
        }
        self.admin: Handler | None = None
        self._down: set[str] = set()
        self._listeners: dict[str, _Listener] = {}
        self._functions: dict[str, Backend] = {}
        self._sessions: list[aiohttp.ClientSession] = []

    async def start(self) -> None:
        """Listen everywhere; raises UnusableInput where an address is taken."""
        # An invocation may last 15 minutes; a dead Lambda service is found out by its refused connection.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=2)
        functions = own_session(limit=0, timeout=timeout, auto_decompress=False)
        # An emulator may be another user's.
        emulators = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), timeout=timeout, auto_decompress=False
        )
        self._sessions = [functions, emulators]
        self.emulators.start(emulators)
        for region in self.layout.regions:
            self._functions[region.name] = HttpBackend(functions, region.lambda_api.url)
            self._listeners[region.name] = _Listener(region.aws, self._gated)
        self._listeners["global"] = _Listener(self.layout.global_aws, self._gated)
        self._listeners["internal"] = _Listener(self.layout.internal, self._internal)
        for listener in self._listeners.values():
            await listener.open()

    async def stop(self) -> None:
        """End what FIS does, then close every listener and connection at once."""
        await self.fis.close(FIS_LIMIT_S)
        for listener in self._listeners.values():
            listener.release()
        self.emulators.stop()
        for session in self._sessions:
            await session.close()

    async def region_up(self, region: str, up: bool) -> bool:
        """Give a region's API back or take it away, in-flight calls with it; False where it was so already."""
        if up == (region not in self._down):
            return False
        self.fis.region_up(region, up)
        if up:
            self._down.discard(region)
            self.emulators.thaw(region)
            await self._listeners[region].open()
        else:
            self._down.add(region)
            self._listeners[region].close()
            self.emulators.freeze(region)
        return True

    def backend(self, scope: CallScope, call: Call) -> Backend:
        """Who answers a call: the region's Lambda service an Invoke, FIS its own, an emulator or moto everything else."""
        if scope.signing_name == "lambda" and call.method == "POST" and _INVOKE.match(call.raw_path):
            return self._functions.get(scope.region, self.moto)
        if scope.signing_name == "fis":
            return self.fis.backend(scope.region)
        if scope.signing_name == "ssm" and call.headers.get("X-Amz-Target") in OPERATIONS:
            return self._automations.get(scope.region, self.moto)
        if not self.layout.emulators:
            return self.moto
        region = GLOBAL if scope.is_global else scope.region or self.layout.primary.name
        emulator = self.layout.emulator_for(service_of(scope.signing_name, call.raw_path), region)
        return self.moto if emulator is None else self.emulators.backend(emulator)

    def _users(self, key_id: str, token: str) -> AccessKey | None:
        key = self.layout.credentials.known(key_id, token)
        return None if key is self.layout.credentials.reconciler else key

    def _reconciler(self, key_id: str, token: str) -> AccessKey | None:
        key = self.layout.credentials.known(key_id, token)
        return key if key is self.layout.credentials.reconciler else None

    def _unreachable(self, scope: CallScope) -> bool:
        return scope.region in self._down and not scope.is_global

    async def _internal(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.raw_path.startswith(ADMIN_PREFIX) and self.admin is not None:
            return await self.admin(request)
        return await self._pass(request, scope_of(request.headers, request.raw_path), gated=False)

    async def _gated(self, request: web.BaseRequest) -> web.StreamResponse:
        scope = scope_of(request.headers, request.raw_path)
        if self._unreachable(scope):
            return _drop(request)
        return await self._pass(request, scope, gated=True)

    async def _pass(self, request: web.BaseRequest, scope: CallScope, *, gated: bool) -> web.StreamResponse:
        known = self._users if gated else self._reconciler
        call = Call(request.method, request.raw_path, request.headers, b"")
        try:
            require_known_key(known, call.raw_path, request.headers)
            if request.headers.get("Expect", "").lower() == "100-continue" and request.transport is not None:
                request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            call = dataclasses.replace(call, body=await request.content.read())
            key = authenticate(known, call.method, call.raw_path, request.headers, call.body)
        except NotAuthenticated as e:
            refused = refusal(e, scope.signing_name, call)
            response = web.Response(status=refused.status, headers=refused.headers, body=refused.body)
            if not call.body and request.can_read_body:
                response.force_close()  # what was not read is not waited for
            return response
        try:
            answer = await self.backend(scope, call).answer(call)
        except BackendUnreachable as e:
            invoked = scope.signing_name == "lambda"
            answer = _service_exception(str(e)) if invoked else fault(call, 503, "ServiceUnavailable", str(e))
        self._tell(scope, call, key if gated else None, answer)
        if gated and self._unreachable(scope):  # the region died while it worked
            return _drop(request)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body or None)

    def _tell(self, scope: CallScope, call: Call, caller: AccessKey | None, answer: Answer) -> None:
        """Where the call was to change something, keep it in the trail of who called, and emit the change if it is one.

        Told before the answer, so that reconcilers are not behind the caller.
        """
        if call.method in {"GET", "HEAD"}:
            return
        operation = operation_of(scope.signing_name, call.method, call.raw_path, call.headers, call.body)
        if not operation.changes:
            return
        if caller is not None:
            self.trail.keep(scope, call, operation, caller, answer)
        if 200 <= answer.status < 300:
            self.changes.emit(scope.region, operation.service, operation.name, operation.resource)


class _Listener:
    """One address, the run's own until `release`; closing it refuses new connections and resets those that stand."""

    def __init__(self, address: Address, handler: Handler) -> None:
        self._address = address
        self._web = web.Server(
            handler,
            auto_decompress=False,
            access_log=None,
            keepalive_timeout=600,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )
        self._held: HeldAddress | None = None
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        try:
            if self._held is None:
                self._held = HeldAddress(self._address.host, self._address.port)
            self._server = await asyncio.get_running_loop().create_server(
                self._web, sock=self._held.listen(BACKLOG), backlog=BACKLOG
            )
        except OSError as e:
            raise UnusableInput(
                f"the AWS API cannot listen on {self._address}: {e.strerror or e}: stop what holds it, or another run"
            ) from e

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._held is not None:
            self._held.refuse()
        for connection in list(self._web.connections):
            with contextlib.suppress(Exception):
                if connection.transport is not None:
                    connection.transport.abort()

    def release(self) -> None:
        self.close()
        if self._held is not None:
            self._held.close()
            self._held = None


def _drop(request: web.BaseRequest) -> web.StreamResponse:
    """No answer at all: the connection is reset."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


def _service_exception(message: str) -> Answer:
    """What Lambda says when it cannot serve: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html."""
    headers: CIMultiDict[str] = CIMultiDict(
        {"content-type": "application/json", "x-amzn-errortype": "ServiceException"}
    )
    quoted = message.replace("\\", "/").replace('"', "'")
    return Answer(500, headers, f'{{"Type":"Service","Message":"{quoted}"}}'.encode())
