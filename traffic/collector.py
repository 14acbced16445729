"""The harness's end: a thread that reads what every Locust process recorded, and spools it before it is counted.

Each frame is appended to the spool file as it came, so that records outlive a harness that is killed.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import selectors
import socket
import threading
import time
from pathlib import Path

import polars as pl

from drill.history import NS, Mark, Sample, UnusableInput
from traffic import frames
from traffic.records import OnOps, Records, as_ops

TICK_S = 0.1
SILENCE_S = 1.0
"""A generator sends at least its lag every 0.1 s; one that is silent for this long has stopped dispatching."""
READ = 256 * 1024

log = logging.getLogger(__name__)


class Collector:
    """Listens on `socket_path` from construction on; `close` ends the thread and removes the socket file.

    `on_ops` is called from the collector's thread with every batch of ops and must be quick; what it raises is logged.
    """

    def __init__(self, socket_path: Path, spool_path: Path, t0_ns: int, on_ops: OnOps | None) -> None:
        self._t0_ns = t0_ns
        self._on_ops = on_ops
        self._path = socket_path
        self._records = Records()
        self._lock = threading.Lock()
        self._trouble: str | None = None
        self._closing = threading.Event()
        self._heard_ns: int | None = None
        self._connections: dict[socket.socket, bytearray] = {}
        try:
            self._spool = os.open(spool_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except FileExistsError as e:
            raise UnusableInput(
                f"{spool_path} already holds records: give each load generator a directory of its own"
            ) from e
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(socket_path))
        self._listener.listen(64)
        self._listener.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="traffic-collector", daemon=True)
        self._thread.start()

    def ops(self) -> pl.DataFrame:
        """The ops so far (drill.history.OPS_SCHEMA)."""
        with self._lock:
            return self._records.ops()

    def samples(self) -> tuple[Sample, ...]:
        """The samples so far."""
        with self._lock:
            return tuple(self._records.samples)

    def marks(self) -> tuple[Mark, ...]:
        """The marks so far."""
        with self._lock:
            return tuple(self._records.marks)

    @property
    def started(self) -> bool:
        """Whether a first request is on its way."""
        return bool(self._records.started)

    @property
    def connected(self) -> bool:
        """Whether any generator's end is open."""
        return bool(self._connections)

    @property
    def finished(self) -> bool:
        """Whether every generator that started has said that it is done."""
        return len(self._records.finished) >= max(1, len(self._records.started))

    @property
    def trouble(self) -> str | None:
        """Why records are missing, or None: a spool that cannot be written, garbage, fewer ops than were sent."""
        if self._trouble is None and self.finished and not self.connected:
            with self._lock:
                sent, got = sum(f.ops for f in self._records.finished), self._records.count
            if sent != got:
                return f"of {sent} recorded ops only {got} arrived"
        return self._trouble

    def ask_to_stop(self, grace_s: float) -> None:
        """Tell every generator to stop and how long it may wait for what is in flight."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):  # it died meanwhile
                connection.sendall(frames.encode(frames.Stop(grace_s)))

    def close(self) -> None:
        """Read what is still there, stop listening, remove the socket file."""
        self._closing.set()
        self._thread.join()
        self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            try:
                while True:
                    closing = self._closing.is_set()
                    ready = selector.select(0 if closing else TICK_S)
                    for key, _ in ready:
                        self._serve(key.fileobj, selector)  # type: ignore[arg-type]
                    if closing and not ready:
                        break
                    self._note_silence()
            except OSError as e:
                self._trouble = f"the collector of load records failed: {e}"
                log.exception("collector failed")
            finally:
                for connection in list(self._connections):
                    connection.close()
                self._connections.clear()
                self._listener.close()
                os.close(self._spool)

    def _serve(self, ready: socket.socket, selector: selectors.BaseSelector) -> None:
        if ready is self._listener:
            connection, _ = ready.accept()
            self._connections[connection] = bytearray()
            selector.register(connection, selectors.EVENT_READ)
            return
        try:
            block = ready.recv(READ)
        except ConnectionError:
            block = b""
        buffer = self._connections[ready]
        buffer += block
        try:
            for frame in frames.split(buffer):
                self._take(frame)
        except frames.NotFrames as e:
            self._trouble = f"a load generator sent what is no record ({e})"
            block = b""
        if not block:
            selector.unregister(ready)
            del self._connections[ready]
            ready.close()

    def _take(self, raw: bytes) -> None:
        frame = frames.decode(raw[frames.LENGTH.size :])
        if os.write(self._spool, raw) != len(raw):
            raise OSError(errno.ENOSPC, "the spool took only part of a record")
        with self._lock:
            self._records.add(frame)
            self._heard_ns = time.monotonic_ns()
        if self._on_ops is not None and isinstance(frame, frames.Ops):
            try:
                self._on_ops(as_ops(frame))
            except Exception:  # a listener must not cost records
                log.exception("a listener to ops failed")

    def _note_silence(self) -> None:
        """A generator that cannot say how late it is (frozen, starved) is at least as late as it is silent."""
        if self._heard_ns is None or not self._connections or self.finished:
            return
        now = time.monotonic_ns()
        silent_s = (now - self._heard_ns) / NS
        if silent_s >= SILENCE_S:
            with self._lock:
                self._records.samples.append(Sample(now - self._t0_ns, "dispatch_lag_s", "collector", silent_s))
