"""Starts every request at its intended time, whether or not earlier ones were answered (open loop).

A client that waits for the last answer before it sends the next one stops asking exactly while the service is down,
and so hardly sees the outage (coordinated omission). Here a request's time counts from when it was due, and how late
requests really started is recorded as dispatch_lag_s: a generator that fell behind proves nothing.
"""

from __future__ import annotations

import math
import random
import resource
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gevent

from drill import content
from drill.records import NS, Op, Outcome
from drill.schedule import EVENT, Schedule
from traffic.cohorts import Cohort, WriteRefused
from traffic.contract import Contract
from traffic.load import Load, amount_of
from traffic.outcomes import FAIL, UNKNOWN, Answer, InDoubt, NotSent, json_of, of_read, of_receipt, of_write, region_of
from traffic.recorder import Recorder
from traffic.template import Template

NEVER_NS = 2**63
SPARE_DESCRIPTORS = 200
BATCH = 100
"""At most so many overdue requests are spawned before those spawned get to run."""
LAG_EVERY_S = 0.1
SETTLED_NS = 2 * NS
"""A read asks for an order acknowledged at least this long ago, so that replication lag does not fail it."""
READABLE = 64
"""Reads choose among this many of the newest settled orders: once service is back they soon ask for orders that it
acknowledged itself, so that lost data shows in the ledger rather than as endless unavailability."""

AURORA = "aurora"
S3 = "s3"
"""The stores that an order and its receipt are written to."""

OVERLOAD = "client_overload"
STOPPED = "stopped"

Fire = Callable[[str, str, float, int, str | None], None]
"""Tells Locust's own counters: method, name, milliseconds, length of the answer, error class or None."""


@dataclass(frozen=True, slots=True)
class Share:
    """Arrivals `number`, `number` + `of`, `number` + 2 `of`, ... of the schedule."""

    number: int
    of: int


WHOLE = Share(0, 1)


def most_in_flight(requested: int) -> int:
    """How many requests may be under way: no more than `requested`, and every one may need a descriptor."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return requested if soft == resource.RLIM_INFINITY else max(1, min(requested, soft - SPARE_DESCRIPTORS))


@dataclass(slots=True, eq=False)
class _Request:
    key: int
    cohort: str
    intended_ns: int
    read: bool
    receipt: bool = False
    began_ns: int = 0
    greenlet: gevent.Greenlet | None = None


class Dispatcher:
    """Sends the load by `cohorts`, records every op; `run` returns when `stop` was called."""

    def __init__(
        self,
        load: Load,
        contract: Contract,
        cohorts: Mapping[str, Cohort],
        recorder: Recorder,
        fire: Fire,
        limit: int,
        share: Share = WHOLE,
    ) -> None:
        self._load = load
        self._contract = contract
        self._write, self._read = (Template(r.path, r.body) for r in (contract.write, contract.read))
        self._receipt_every = load.receipt_every if contract.has_receipts else 0
        self._share = share
        self._cohorts = cohorts
        self._recorder = recorder
        self._fire = fire
        self._limit = limit
        # apart, because which reads there are depends on timing, and the orders of a seed must not
        self._for_orders = random.Random(f"{load.seed} orders")
        self._for_reads = random.Random(f"{load.seed} reads")
        self._names = list(cohorts)
        self._weights = [load.cohorts[n] for n in self._names]
        self._in_flight: set[_Request] = set()
        self._acknowledged: deque[tuple[int, int]] = deque()
        self._readable: deque[int] = deque(load.read_keys, maxlen=None if load.read_keys else READABLE)
        self._due_ns = NEVER_NS
        self._until_ns: float = math.inf
        self._worst_ns = 0
        self._running = True

    def run(self, begin_ns: int | None = None) -> None:
        """Dispatch this share of the schedule that begins at `begin_ns` (None: now) until stopped."""
        load, now_ns, number, of = self._load, self._recorder.now_ns, self._share.number, self._share.of
        order_at, read_at = self._schedule(now_ns() if begin_ns is None else begin_ns)
        orders = reads = number
        next_order, next_read = order_at(orders), read_at(reads)
        self._leave_to_others(number)
        self._due_ns = int(min(next_order, next_read))
        told = False
        gevent.spawn(self._sample_lag)
        while self._running:
            now = now_ns()
            if now < self._due_ns:
                gevent.sleep((self._due_ns - now) / NS)
                continue
            for _ in range(BATCH):
                if self._due_ns >= self._until_ns:
                    return
                if next_order <= next_read:
                    self._order(load.first_key + orders, int(next_order))
                    orders += of
                    next_order = order_at(orders)
                else:
                    self._ask_for_one(int(next_read))
                    reads += of
                    next_read = read_at(reads)
                self._due_ns = int(min(next_order, next_read))
                if self._due_ns > now:
                    break
            if not told and (reads if load.read_keys else orders) > number:
                self._recorder.started()
                told = True
            gevent.sleep(0)

    def _schedule(self, begin_ns: int) -> tuple[Callable[[int], float], Callable[[int], float]]:
        """When order n and read n are due; the whole schedule is told once, by the first of those who share it."""
        load, every = self._load, self._receipt_every
        if load.read_keys:
            only = Schedule("read", begin_ns, load.reads_per_s, 0.5, load.legs(load.reads_per_s / load.orders_per_s))
            self._tell([only])
            return lambda _: math.inf, only.due_ns
        orders = Schedule("write", begin_ns, load.orders_per_s, 0.0, load.legs())
        told, read_at = [orders], lambda _: math.inf
        if every:
            first = -load.first_key % every
            ramp = load.legs(1 / every)
            told.append(Schedule("put_object", begin_ns, load.orders_per_s / every, first / every, ramp))
        if load.reads_per_s:
            ramp = load.legs(load.reads_per_s / load.orders_per_s)
            # halfway, so that the two do not always meet
            reads = Schedule("read", begin_ns, load.reads_per_s, 0.5, ramp)
            told.append(reads)
            read_at = reads.due_ns
        self._tell(told)
        return orders.due_ns, read_at

    def _tell(self, schedules: list[Schedule]) -> None:
        if self._share.number == 0:
            for schedule in schedules:
                self._recorder.mark(EVENT, schedule.op, schedule.detail())

    def stop(self, grace_s: float, until_ns: int | None = None) -> None:
        """Start nothing that is due at `until_ns` (None: now) or later, end in `grace_s`, record the rest as in doubt."""
        limit = time.monotonic() + grace_s
        if until_ns is not None:
            self._until_ns = until_ns
            while self._due_ns < until_ns and time.monotonic() < limit:
                gevent.sleep(0.005)
        self._running = False
        while self._in_flight and time.monotonic() < limit:
            gevent.sleep(0.01)
        left = list(self._in_flight)
        self._in_flight.clear()
        for request in left:
            self._record(request, (FAIL if request.read else UNKNOWN, STOPPED), None, None, 0)
        gevent.killall([r.greenlet for r in left if r.greenlet is not None], block=False)

    def _order(self, key: int, intended_ns: int) -> None:
        if self._load.read_keys:
            raise WriteRefused("a write was due in a load that may only read")
        every = self._receipt_every
        receipt = bool(every) and key % every == 0
        self._launch(_Request(key, self._cohort(self._for_orders), intended_ns, read=False, receipt=receipt))
        if self._share.of > 1:
            self._leave_to_others(self._share.of - 1)

    def _leave_to_others(self, orders: int) -> None:
        """Draw what other workers draw for their orders, so that a seed gives an order the same cohort in any worker
        pool."""
        for _ in range(orders):
            self._for_orders.random()  # as many as choices() takes for one

    def _ask_for_one(self, intended_ns: int) -> None:
        while self._acknowledged and self._acknowledged[0][0] + SETTLED_NS <= intended_ns:
            self._readable.append(self._acknowledged.popleft()[1])
        if self._readable:
            key = self._for_reads.choice(self._readable)
            self._launch(_Request(key, self._cohort(self._for_reads), intended_ns, read=True))

    def _cohort(self, chance: random.Random) -> str:
        return chance.choices(self._names, self._weights)[0]

    def _launch(self, request: _Request) -> None:
        if len(self._in_flight) >= self._limit:
            request.began_ns = self._recorder.now_ns()
            self._record(request, (FAIL, OVERLOAD), None, None, 0)
            return
        self._in_flight.add(request)
        request.greenlet = gevent.spawn(self._perform, request)

    def _perform(self, request: _Request) -> None:
        request.began_ns = began = self._recorder.now_ns()
        self._worst_ns = max(self._worst_ns, began - request.intended_ns)
        cohort = self._cohorts[request.cohort]
        answer: Answer | None = None
        document: Any = None
        contract = self._contract
        values = {"key": request.key, "content": amount_of(request.key), "receipt": request.receipt}
        try:
            if request.read:
                answer = cohort.send(contract.read, self._read.path(values), self._read.body(values))
                document = json_of(answer)
                outcome = of_read(contract.read, answer, document, request.key)
            else:
                answer = cohort.send(contract.write, self._write.path(values), self._write.body(values))
                document = json_of(answer)
                outcome = of_write(contract.write, answer, document, request.key)
        except NotSent as e:
            outcome = (FAIL, str(e))
        except InDoubt as e:
            outcome = (FAIL if request.read else UNKNOWN, str(e))
        if request not in self._in_flight:
            return  # stop() has recorded it
        self._in_flight.remove(request)
        self._record(request, outcome, answer, document, len(answer.body) if answer else 0)

    def _record(
        self,
        request: _Request,
        outcome: tuple[Outcome, str | None],
        answer: Answer | None,
        document: Any,
        length: int,
    ) -> None:
        ended = self._recorder.now_ns()
        began = request.began_ns or ended
        template = self._contract.read if request.read else self._contract.write
        region = region_of(self._contract, template.answer, answer, document)
        status = answer.status if answer else None
        key, cohort, intended = request.key, request.cohort, request.intended_ns

        def row(op: str, outcome: tuple[Outcome, str | None], store: str | None, carried: int | None) -> None:
            self._recorder.op(
                Op(op, key, cohort, intended, began, ended, outcome[0], region, status, outcome[1], store, carried)
            )

        if request.read:
            row("read", outcome, None, None)
        else:
            order = content.of_order(key, amount_of(key)) if self._contract.has_content else None
            row("write", outcome, AURORA, order)
            if request.receipt:
                row("put_object", of_receipt(self._contract.write, outcome, document), S3, order)
            if outcome[1] is None:
                self._acknowledged.append((ended, key))
        self._fire(template.method, f"{template.path} {cohort}", (ended - began) / 1e6, length, outcome[1])

    def _sample_lag(self) -> None:
        """The worst lateness since the last sample: of requests that started, or of the one that is due."""
        while self._running:
            gevent.sleep(LAG_EVERY_S)
            overdue = self._recorder.now_ns() - self._due_ns
            self._recorder.sample(
                "dispatch_lag_s", f"locust-{self._recorder.worker}", max(self._worst_ns, overdue, 0) / NS
            )
            self._worst_ns = 0
