"""What `locust -f` runs: one user whose only task is the dispatcher; its settings come as JSON in one variable.

Locust is always a process of its own: imported into one that already has threads or boto3 it breaks (gevent patches
the standard library), and its death must not be the harness's. It is alone, or a master that sends nothing, or one of
several workers that send their shares.
"""

from __future__ import annotations

import logging
import os
import time
from typing import Any

import gevent
import gevent.event
import gevent.socket
import msgspec
from locust import User, events, task
from locust.runners import MasterRunner

from traffic import frames
from traffic.clock import HarnessClock, own_clock
from traffic.cohorts import Cohort
from traffic.contract import Contract
from traffic.dispatcher import Dispatcher, Share, most_in_flight
from traffic.load import Load, Service
from traffic.recorder import Recorder, connect
from traffic.resolver import Route53Resolver
from traffic.timekeeping import NoTime, Timekeeper

VARIABLE = "DRILL_TRAFFIC"
HURRY_S = 0.1
"""How long a SIGTERM that nobody announced waits for what is in flight."""

log = logging.getLogger(__name__)


class Alone(msgspec.Struct, frozen=True, tag="alone"):
    """What a Locust process is told that sends the whole load itself, on the harness's machine."""

    load: Load
    service: Service
    contract: Contract
    t0_ns: int
    socket: str


class Master(msgspec.Struct, frozen=True, tag="master"):
    """What the master of several workers is told."""

    socket: str
    token: str


class Worker(msgspec.Struct, frozen=True, tag="worker"):
    """What a worker is told; `connection` is the descriptor of the connection by which it was enlisted."""

    load: Load
    service: Service
    contract: Contract
    worker: int
    workers: int
    connection: int


Settings = Alone | Master | Worker


class ServiceFailure(Exception):
    """What Locust's counters are given for a request that was not OK; its text is the class of failure."""


class Generator:
    """The parts of one Locust process that sends load, put together."""

    def __init__(self, settings: Alone | Worker, environment: Any) -> None:
        self._environment = environment
        self._reported = 0
        self._stopped = False
        self._entered = False
        self._begin: Any = gevent.event.AsyncResult()
        self._timekeeper: Timekeeper | None = None
        if isinstance(settings, Worker):
            clock = HarnessClock(own_clock())
            connection = gevent.socket.socket(fileno=settings.connection)
            self.recorder = Recorder(connection, settings.worker, clock.now_ns)
            self._timekeeper = Timekeeper(clock, self.recorder)
            share = Share(settings.worker, settings.workers)
            environment.events.report_to_master.add_listener(self._note_report)
        else:
            t0_ns, now_ns = settings.t0_ns, time.monotonic_ns
            self.recorder = Recorder(connect(settings.socket), 0, lambda: now_ns() - t0_ns)
            share = Share(0, 1)
        resolver = Route53Resolver(
            settings.service.dns_host,
            settings.service.dns_port,
            timeout_s=settings.load.connect_timeout_s,
            on_change=lambda name, found: self.recorder.mark("client.dns_answer", name, ",".join(found)),
        )
        gevent.get_hub().resolver = resolver
        limit = most_in_flight(settings.load.most_in_flight)
        cohorts = {
            name: Cohort(name, settings.load, settings.service, settings.contract, resolver, limit)
            for name, portion in settings.load.cohorts.items()
            if portion > 0
        }
        self.dispatcher = Dispatcher(
            settings.load, settings.contract, cohorts, self.recorder, self._count, limit, share
        )
        self.recorder.on(frames.Stop, lambda told: gevent.spawn(self.stop, told.grace_s, told.until_ns))
        self.recorder.on(frames.Begin, lambda told: self._begin.set(told.at_ns))
        self.recorder.serve(self._orphaned)

    def run(self) -> None:
        """Send the load (a worker: once all the others are ready too); returns when it was stopped."""
        if self._entered:
            return  # Locust gives a lost worker's user to another; its share stays unsent, and the drill unproven
        self._entered = True
        begin_ns = None
        if self._timekeeper is not None:
            try:
                self._timekeeper.first()
                self.recorder.say(lambda: frames.Ready(self.recorder.worker))
            except (NoTime, OSError) as e:
                log.error("no load without the harness: %s", e)
                os._exit(3)
            gevent.spawn(self._timekeeper.keep, self._orphaned)
            begin_ns = self._begin.get()
        self.dispatcher.run(begin_ns)

    def stop(self, grace_s: float, until_ns: int | None = None) -> None:
        """Stop, record everything, say that this was all."""
        if self._stopped:
            return
        self._stopped = True
        self.dispatcher.stop(grace_s, until_ns)
        if self._timekeeper is not None:
            self._timekeeper.sample()
        try:
            self.recorder.finish(self._reported + self._environment.stats.total.num_requests)
        except OSError as e:
            log.warning("the harness is gone, the last records are lost: %s", e)

    def _orphaned(self) -> None:
        if not self._stopped:
            log.error("the harness closed its end: load that nobody records is stopped")
        os._exit(0 if self._stopped else 3)

    def _note_report(self, client_id: str, data: dict[str, Any]) -> None:
        """A worker's counters start anew with each report to the master."""
        self._reported += data["stats_total"]["num_requests"]

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

    @task
    def dispatch(self) -> None:
        """Send the whole load; returns when it was stopped."""
        self.environment.generator.run()
        gevent.event.Event().wait()  # until Locust ends the user; if this returned it would be called again


@events.init.add_listener  # type: ignore[untyped-decorator]
def _open(environment: Any, runner: Any, **_: Any) -> None:
    settings = msgspec.json.decode(os.environ[VARIABLE], type=Settings)
    if isinstance(settings, Master):
        assert isinstance(runner, MasterRunner)
        _report(settings, runner.server.port)
    else:
        environment.generator = Generator(settings, environment)


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _close(environment: Any, **_: Any) -> None:
    if not isinstance(environment.runner, MasterRunner):
        environment.generator.stop(HURRY_S)


def _report(settings: Master, port: int) -> None:
    """Tell the harness where workers find this master, and end when the harness does."""
    link = Recorder(connect(settings.socket), -1, lambda: 0)
    link.say(lambda: frames.Listening(settings.token, os.getpid(), port))
    link.serve(lambda: os._exit(3))
