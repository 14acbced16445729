"""The harness's end: a thread that reads what every Locust process recorded, and spools it before it is counted.

One process on this machine needs no more than the unix socket. Workers (see traffic.worker_pool) introduce themselves first,
and those on other machines come over TCP.

Each frame is appended to the spool file as it came, so that records outlive a harness that is killed.
"""

from __future__ import annotations

import errno
import logging
import os
import selectors
import socket
import sys
import threading
import time
from pathlib import Path

import polars as pl

from drill.history import NS, Mark, Sample
from drill.unusable import UnusableInput
from traffic import frames
from traffic.records import OnOps, Records, as_ops
from traffic.worker_pool import LONGEST_HELLO, SEND_S, UNKNOWN_PEER_S, Peer, UnknownPeer, WorkerPool

TICK_S = 0.1
SILENCE_S = 1.0
"""A generator sends at least its lag every 0.1 s; one that is silent for this long has stopped dispatching."""
READ = 256 * 1024

log = logging.getLogger(__name__)


class Collector:
    """Listens on `socket_path` from construction on; `close` ends the thread and removes the socket file.

    `on_ops` is called from the collector's thread with every batch of ops and must be quick; what it raises is logged.
    `worker_pool`: the workers that are expected, None where one process sends all. `tcp`: where workers of other
    machines find this collector (port 0: any free one, see `address`).
    """

    def __init__(
        self,
        socket_path: Path,
        spool_path: Path,
        t0_ns: int,
        on_ops: OnOps | None,
        *,
        worker_pool: WorkerPool | None = None,
        tcp: tuple[str, int] | None = None,
    ) -> None:
        self._t0_ns = t0_ns
        self._on_ops = on_ops
        self._path = socket_path
        self._worker_pool = worker_pool
        self._records = Records()
        self._lock = threading.Lock()
        self._trouble: str | None = None
        self._closing = threading.Event()
        self._peers: dict[socket.socket, Peer] = {}
        self._listeners = [_listen_unix(socket_path)]
        if tcp is not None:
            try:
                self._listeners.append(_listen_tcp(*tcp))
            except OSError as e:
                self._drop_listeners()
                raise UnusableInput(f"cannot wait for workers on {tcp[0]}:{tcp[1]} ({e}): name another address") from e
        try:
            self._spool = os.open(spool_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except FileExistsError as e:
            self._drop_listeners()
            raise UnusableInput(
                f"{spool_path} already holds records: give each load generator a directory of its own"
            ) from e
        self._thread = threading.Thread(target=self._run, name="traffic-collector", daemon=True)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int] | None:
        """Where workers of other machines find it."""
        return self._listeners[1].getsockname()[:2] if len(self._listeners) > 1 else None

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
        """Whether a first request is on its way (of every worker)."""
        return len(self._records.started) >= (self._worker_pool.size if self._worker_pool else 1)

    @property
    def connected(self) -> bool:
        """Whether any generator's end is open."""
        return bool(self._peers)

    @property
    def finished(self) -> bool:
        """Whether every generator that started, and is not lost, has said that it is done."""
        if self._worker_pool is not None:
            return self._worker_pool.finished
        return len(self._records.finished) >= max(1, len(self._records.started))

    @property
    def trouble(self) -> str | None:
        """Why records are missing, or None: a spool that cannot be written, garbage, a lost worker, too few ops."""
        if self._worker_pool is not None and self._trouble is None:
            self._trouble = self._worker_pool.trouble
        if self._trouble is None and self.finished and not self.connected:
            with self._lock:
                sent, got = sum(f.ops for f in self._records.finished), self._records.count
            if sent != got:
                return f"of {sent} recorded ops only {got} arrived"
        return self._trouble

    def ask_to_stop(self, grace_s: float) -> None:
        """Tell every generator to stop and how long it may wait for what is in flight; all that is due by now is still sent."""
        if self._worker_pool is not None:
            self._worker_pool.stop(grace_s)
            return
        for peer in list(self._peers.values()):
            peer.send(frames.Stop(grace_s, time.monotonic_ns() - self._t0_ns))

    def close(self) -> None:
        """Read what is still there, stop listening, remove the socket file."""
        self._closing.set()
        self._thread.join()
        self._path.unlink(missing_ok=True)

    def _drop_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for listener in self._listeners:
                selector.register(listener, selectors.EVENT_READ)
            try:
                while True:
                    closing = self._closing.is_set()
                    ready = selector.select(0 if closing else TICK_S)
                    for key, _ in ready:
                        if key.fileobj in self._listeners:
                            self._accept(key.fileobj, selector)
                        else:
                            self._serve(self._peers[key.fileobj], selector)  # type: ignore[index]
                    if closing and not ready:
                        break
                    self._look_around(selector)
            except OSError as e:
                self._trouble = f"the collector of load records failed: {e}"
                log.exception("collector failed")
            finally:
                for connection in [*self._peers, *self._listeners]:
                    connection.close()
                self._peers.clear()
                os.close(self._spool)

    def _accept(self, listener: socket.socket, selector: selectors.BaseSelector) -> None:
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, ConnectionError):
            return  # whoever it was has gone
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(SEND_S)
        self._peers[connection] = Peer(connection, time.monotonic_ns(), known=self._worker_pool is None)
        selector.register(connection, selectors.EVENT_READ)

    def _serve(self, peer: Peer, selector: selectors.BaseSelector) -> None:
        try:
            block = peer.connection.recv(READ)
        except OSError:  # a reset, or a connection that its host gave up
            block = b""
        received_ns = time.monotonic_ns()
        peer.buffer += block
        try:
            for raw in frames.split(peer.buffer):
                self._receive(peer, raw, received_ns)
            if not peer.known and len(peer.buffer) > LONGEST_HELLO:
                raise UnknownPeer("a connection began with too many bytes")
        except (frames.NotFrames, UnknownPeer) as e:
            if peer.known:
                self._trouble = f"a load generator sent what is no record ({e})"
            else:
                log.warning("turned away: %s", e)
            block = b""
        if not block:
            self._part(peer, selector)

    def _part(self, peer: Peer, selector: selectors.BaseSelector) -> None:
        selector.unregister(peer.connection)
        del self._peers[peer.connection]
        peer.connection.close()
        if self._worker_pool is not None:
            self._worker_pool.disconnected(peer)

    def _receive(self, peer: Peer, raw: bytes, received_ns: int) -> None:
        frame = frames.decode(raw[frames.LENGTH.size :])
        peer.last_message_ns = received_ns
        if self._worker_pool is not None and not self._worker_pool.receive(peer, frame, received_ns):
            return
        peer.started = peer.started or isinstance(frame, frames.Started)
        peer.finished = peer.finished or isinstance(frame, frames.Finished)
        self._take(frame, raw)

    def _take(self, frame: frames.Frame, raw: bytes) -> None:
        if os.write(self._spool, raw) != len(raw):
            raise OSError(errno.ENOSPC, "the spool took only part of a record")
        with self._lock:
            self._records.add(frame)
        if self._on_ops is not None and isinstance(frame, frames.Ops):
            try:
                self._on_ops(as_ops(frame))
            except Exception:  # a listener must not cost records
                log.exception("a listener to ops failed")

    def _look_around(self, selector: selectors.BaseSelector) -> None:
        """A generator that cannot say how late it is (frozen, starved) is at least as late as it is silent."""
        now = time.monotonic_ns()
        for peer in list(self._peers.values()):
            if not peer.known and now - peer.since_ns > UNKNOWN_PEER_S * NS:
                self._part(peer, selector)
            if not peer.started or peer.finished:
                continue
            silent_s = (now - peer.last_message_ns) / NS
            if silent_s >= SILENCE_S:
                with self._lock:
                    self._records.samples.append(Sample(now - self._t0_ns, "dispatch_lag_s", "collector", silent_s))
                if self._worker_pool is not None:
                    self._worker_pool.silent(peer, silent_s)


def _listen_unix(path: Path) -> socket.socket:
    """The path of a Unix socket may have 107 bytes, and TMPDIR may be longer: it is named from its directory."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{path.name}" if sys.platform == "linux" else str(path))
    finally:
        os.close(directory)
    listener.listen(64)
    listener.setblocking(False)
    return listener


def _listen_tcp(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=64)
    listener.setblocking(False)
    return listener
