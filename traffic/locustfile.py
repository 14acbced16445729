"""What `locust -f` runs: one user whose only task is the dispatcher; its settings come as JSON in one variable.

Locust is always a process of its own: imported into one that already has threads or boto3 it breaks (gevent patches
the standard library), and its death must not be the harness's.
"""

from __future__ import annotations

import logging
import os
from typing import Any

import gevent
import gevent.event
import msgspec
from locust import User, events, task
from locust.runners import MasterRunner

from traffic.cohorts import Cohort
from traffic.dispatcher import Dispatcher, most_in_flight
from traffic.load import Load, Service
from traffic.recorder import Recorder
from traffic.resolver import Route53Resolver

VARIABLE = "DRILL_TRAFFIC"
HURRY_S = 0.1
"""How long a SIGTERM that nobody announced waits for what is in flight."""

log = logging.getLogger(__name__)


class Settings(msgspec.Struct, frozen=True):
    """All that a Locust process of the drill is told."""

    load: Load
    service: Service
    t0_ns: int
    socket: str
    worker: int = 0


class ServiceFailure(Exception):
    """What Locust's counters are given for a request that was not OK; its text is the class of failure."""


class Generator:
    """The parts of one Locust process, put together."""

    def __init__(self, settings: Settings, environment: Any) -> None:
        self._environment = environment
        self.recorder = Recorder(settings.socket, settings.worker, settings.t0_ns)
        resolver = Route53Resolver(
            settings.service.dns_host,
            settings.service.dns_port,
            timeout_s=settings.load.connect_timeout_s,
            on_change=lambda name, found: self.recorder.mark("client.dns_answer", name, ",".join(found)),
        )
        gevent.get_hub().resolver = resolver
        limit = most_in_flight()
        cohorts = {
            name: Cohort(name, settings.load, settings.service, resolver, limit)
            for name, share in settings.load.cohorts.items()
            if share > 0
        }
        self.dispatcher = Dispatcher(settings.load, cohorts, self.recorder, self._count, limit)
        self.recorder.serve(self.stop, self._orphaned)
        self._stopped = False

    def stop(self, grace_s: float) -> None:
        """Stop, record everything, say that this was all."""
        if self._stopped:
            return
        self._stopped = True
        self.dispatcher.stop(grace_s)
        try:
            self.recorder.finish(self._environment.stats.total.num_requests)
        except OSError as e:
            log.warning("the harness is gone, the last records are lost: %s", e)

    def _orphaned(self) -> None:
        if not self._stopped:
            log.error("the harness closed its end: load that nobody records is stopped")
        os._exit(0 if self._stopped else 3)

    def _count(self, method: str, name: str, ms: float, length: int, error: str | None) -> None:
        self._environment.events.request.fire(
            request_type=method,
            name=name,
            response_time=ms,
            response_length=length,
            exception=None if error is None else ServiceFailure(error),
            context={},
        )


class Orders(User):
    """The dispatcher's place in Locust."""

    fixed_count = 1

    @task
    def dispatch(self) -> None:
        """Send the whole load; returns when it was stopped."""
        self.environment.generator.dispatcher.run()
        gevent.event.Event().wait()  # until Locust ends the user; if this returned it would be called again


@events.init.add_listener  # type: ignore[untyped-decorator]
def _open(environment: Any, runner: Any, **_: Any) -> None:
    if isinstance(runner, MasterRunner):
        return  # a master sends nothing
    settings = msgspec.json.decode(os.environ[VARIABLE], type=Settings)
    environment.generator = Generator(settings, environment)


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _close(environment: Any, **_: Any) -> None:
    if not isinstance(environment.runner, MasterRunner):
        environment.generator.stop(HURRY_S)
