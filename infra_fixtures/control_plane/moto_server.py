"""moto inside this process: its WSGI applications are called in threads, without a second HTTP hop.

A service's code (and its overlay) is imported when it is first asked for, or by `warm`: RDS and EC2 take a second.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import logging
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from multidict import CIMultiDict

from infra_fixtures.control_plane import moto_once
from infra_fixtures.control_plane.backend import HOP_BY_HOP, Answer, Call, fault
from infra_fixtures.control_plane.wsgi import environ_of
from infra_fixtures.run_layout import RunLayout

log = logging.getLogger(__name__)

THREADS = 8
HOSTS_REMEMBERED = 1024
_OVERLAY_PACKAGE = "infra_fixtures.control_plane.overlays"

OVERLAYS: dict[str, Sequence[str]] = {
    "rds": ("neighbours", "rds_clusters", "rds_global", "rds_offers"),
    "sts": ("sts_roles",),
    "acm": ("acm_validation",),
    "route53": ("route53_health", "route53_records"),
    "awslambda": ("neighbours", "lambda_code", "lambda_capacity"),
    "kms": ("kms_keys",),
    "cloudwatch": ("cloudwatch_feed",),
    "s3": ("s3_encryption",),
    "apigateway": ("api_gateway_domains",),
    "secretsmanager": ("secret_replicas",),
    "applicationautoscaling": ("scaling_absent",),
}
"""By moto's name of a service, the overlay modules that mend it."""


class Moto:
    """The AWS API as moto has it, with our overlays."""

    def __init__(self, layout: RunLayout) -> None:
        os.environ["MOTO_ACCOUNT_ID"] = layout.account_id
        # Off by default in moto's favour of speed; cross-origin headers are of no use to SDKs.
        os.environ.setdefault("MOTO_DISABLE_GLOBAL_CORS", "true")
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        moto_once.apply([r.name for r in layout.regions])
        self._layout = layout
        self._locks: dict[str, threading.Lock] = {}
        self._dispatcher = DomainDispatcherApplication(create_backend_app)
        # moto lists its own directory at every look
        self._service_at = functools.lru_cache(HOSTS_REMEMBERED)(self._dispatcher.get_backend_for_host)
        self._create: Callable[[Any], Any] = create_backend_app
        self._apps: dict[str, Any] = {}
        self._guard = threading.Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="moto")

    async def answer(self, call: Call) -> Answer:
        """Answer a call in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._serve, call)

    async def overlay(self, service: str, overlay: str, function: str, *args: Any) -> Any:
        """Call a function of an overlay module in a thread, once its service is there."""

        def run() -> Any:
            self.app(service)
            return getattr(importlib.import_module(f"{_OVERLAY_PACKAGE}.{overlay}"), function)(*args)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    def app(self, service: str) -> Any:
        """The WSGI application of one of moto's services, its overlays applied; imported on first use."""
        app = self._apps.get(service)
        if app is not None:
            return app
        with self._guard:
            lock = self._locks.setdefault(service, threading.Lock())
        with lock:
            if service not in self._apps:
                for overlay in OVERLAYS.get(service, ()):
                    importlib.import_module(f"{_OVERLAY_PACKAGE}.{overlay}").apply(self._layout)
                self._apps[service] = self._create(service)
        return self._apps[service]

    def warm(self, services: Iterable[str]) -> None:
        """Import services ahead of their first call; run it in a thread."""
        for service in services:
            self.app(service)

    def _serve(self, call: Call) -> Answer:
        environ = environ_of(call)
        try:
            app = self.app(self._service(environ))
            return _run(app, environ, call)
        except NotImplementedError as e:
            log.warning("%s %s: %s", call.method, call.raw_path, e)
            return fault(call, 501, "NotImplemented", f"moto has no such operation: {e}")
        except Exception as e:  # one call that moto cannot stomach must not end the process
            log.exception("moto failed on %s %s", call.method, call.raw_path)
            return fault(call, 500, "InternalFailure", f"moto failed: {type(e).__name__}: {e}")

    def _service(self, environ: dict[str, Any]) -> str:
        """Which of moto's services is asked: by the credential scope, as moto's own dispatcher has it."""
        path = environ["PATH_INFO"]
        if path.startswith("/moto-api"):
            return "moto_api"
        host = self._dispatcher.infer_service_region_host(environ, path) or "s3.us-east-1.amazonaws.com"
        return str(self._service_at(host) or "s3")


def _run(app: Any, environ: dict[str, Any], call: Call) -> Answer:
    started: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
        started.append((status, headers))
        return written.append

    result = app(environ, start_response)
    try:
        written.extend(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    status, headers = started[-1]
    kept = CIMultiDict((k, str(v)) for k, v in headers if k.lower() not in HOP_BY_HOP)
    if call.method != "HEAD":
        kept.popall("content-length", None)
    return Answer(int(status.split(" ", 1)[0]), kept, written[0] if len(written) == 1 else b"".join(written))
