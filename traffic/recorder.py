"""The recording end inside a Locust process: gathers ops, marks and samples, and sends them to the harness.

Several processes may each have one. A recorder never slows a request: it appends, and a greenlet sends. When the
harness is gone (its end of the socket closes) nobody needs this process, and `on_orphaned` is told.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import gevent
import gevent.lock
import gevent.socket

from drill.records import Mark, Op, Sample
from traffic import frames

FLUSH_S = 0.05
F = TypeVar("F", bound=frames.Frame)


def connect(path: str) -> Any:
    """A connection to the harness's unix socket."""
    made = gevent.socket.socket(gevent.socket.AF_UNIX, gevent.socket.SOCK_STREAM)
    made.connect(path)
    return made


class Recorder:
    """Sends what it is given over `connection`, a connected socket of gevent's; `now_ns` says ns since the run's t0."""

    def __init__(self, connection: Any, worker: int, now_ns: Callable[[], int]) -> None:
        self.worker = worker
        self.now_ns = now_ns
        self.recorded = 0
        self._ops: list[Op] = []
        self._others: list[frames.Frame] = []
        self._heard: dict[type, Callable[[Any], None]] = {}
        self._sending = gevent.lock.RLock()
        self._closed = False
        self._socket = connection

    def op(self, op: Op) -> None:
        """An op that ended."""
        self._ops.append(op)
        self.recorded += 1

    def mark(self, event: str, subject: str, detail: str) -> None:
        """Something the client noticed now."""
        self._others.append(frames.Marked(Mark(self.now_ns(), event, subject, detail)))

    def sample(self, metric: str, subject: str, value: float) -> None:
        """A gauge read now."""
        self._others.append(frames.Sampled(Sample(self.now_ns(), metric, subject, value)))

    def started(self) -> None:
        """The first request is on its way."""
        self._others.append(frames.Started(self.worker, os.getpid(), self.now_ns()))

    def on(self, kind: type[F], do: Callable[[F], None]) -> None:
        """Call `do`, which must not block, with every frame of that kind that the harness sends."""
        self._heard[kind] = do

    def say(self, make: Callable[[], frames.Frame]) -> None:
        """Send one frame at once, made at the last moment; raises OSError when the harness is gone."""
        with self._sending:
            if not self._closed:
                self._socket.sendall(frames.encode(make()))

    def serve(self, on_orphaned: Callable[[], None]) -> None:
        """Start the greenlets that send and that listen."""
        gevent.spawn(self._send_regularly)
        gevent.spawn(self._listen, on_orphaned)

    def flush(self) -> None:
        """Send everything gathered so far; raises OSError when the harness is gone."""
        with self._sending:
            ops, self._ops = self._ops, []
            others, self._others = self._others, []
            batch = [frames.encode(f) for f in others]
            if ops:
                batch.append(frames.encode(frames.Ops.of(self.worker, ops)))
            if batch and not self._closed:
                self._socket.sendall(b"".join(batch))

    def finish(self, requests: int) -> None:
        """Send what is left and say that this was all; `requests` is how many Locust itself counted."""
        self.flush()
        with self._sending:
            if not self._closed:
                self._socket.sendall(frames.encode(frames.Finished(self.worker, self.recorded, requests)))
                self._closed = True

    def _send_regularly(self) -> None:
        while not self._closed:
            try:
                self.flush()
            except OSError:
                return  # the listener hears of it too
            gevent.sleep(FLUSH_S)

    def _listen(self, on_orphaned: Callable[[], None]) -> None:
        buffer = bytearray()
        while True:
            try:
                block = self._socket.recv(4096)
            except OSError:
                block = b""
            if not block:
                on_orphaned()
                return
            buffer += block
            for raw in frames.split(buffer):
                frame = frames.decode(raw[frames.LENGTH.size :])
                if do := self._heard.get(type(frame)):
                    do(frame)
