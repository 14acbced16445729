"""The harness's side of several workers: who may join, who is ready, when all begin, who is lost.

A worker is trusted once it gave the token. It gets a number, asks for the time as often as it likes, says that it is
ready; when all are, they are told a common moment to begin. From then on a worker whose connection ends before it was
asked to stop, or that is silent, is lost: its share of the schedule is a hole in the load, and the drill is unproven.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import socket
import threading
import time
from dataclasses import dataclass, field

from drill.history import NS
from traffic import frames

BEGIN_LEAD_S = 0.3
STOP_LEAD_S = 0.2
"""So long before it counts, a common moment is told: every worker must have heard of it by then."""
LOST_S = 3.0
"""A worker speaks ten times a second; one that is silent for so long is lost."""
UNKNOWN_PEER_S = 5.0
"""A connection that did not say by then who it is is closed."""
LONGEST_HELLO = 4096
SEND_S = 1.0

log = logging.getLogger(__name__)


class UnknownPeer(Exception):
    """This connection is none of the drill's."""


@dataclass(slots=True, eq=False)
class Peer:
    """One connection to the collector, and which worker's it is, once it is known."""

    connection: socket.socket
    since_ns: int
    buffer: bytearray = field(default_factory=bytearray)
    known: bool = False
    worker: int | None = None
    name: str = "Locust"
    last_message_ns: int = 0
    started: bool = False
    finished: bool = False
    disconnected: bool = False
    sending: threading.Lock = field(default_factory=threading.Lock)

    def send(self, frame: frames.Frame) -> None:
        """Send it, from whichever thread; a dead connection is noticed by whoever reads it."""
        with self.sending, contextlib.suppress(OSError):
            self.connection.sendall(frames.encode(frame))


class WorkerPool:
    """`size` workers that share one schedule. `settings` (JSON of load and service) are told to each."""

    def __init__(self, size: int, token: str, settings: str, t0_ns: int) -> None:
        self.size = size
        self.master_port: int | None = None
        self._token = token
        self._settings = settings
        self._t0_ns = t0_ns
        self._members: dict[int, Peer] = {}
        self._waiting: list[Peer] = []
        self._ready: set[int] = set()
        self._begun = False
        self._stopping = False
        self.trouble: str | None = None

    @property
    def joined(self) -> int:
        """How many workers there are."""
        return len(self._members)

    @property
    def finished(self) -> bool:
        """Whether all that are left have said that they are done."""
        return self.joined == self.size and all(p.finished or p.disconnected for p in self._members.values())

    def receive(self, peer: Peer, frame: frames.Frame, received_ns: int) -> bool:
        """Take a frame of a peer's; True where it is one to be recorded. Raises UnknownPeer."""
        if not peer.known:
            self._identify(peer, frame)
            return False
        if peer.worker is None:
            raise UnknownPeer(f"{peer.name} sent {type(frame).__name__}, and is no worker of this drill")
        match frame:
            case frames.Ping():
                peer.send(frames.Pong(frame.sent_ns, received_ns - self._t0_ns, time.monotonic_ns() - self._t0_ns))
                return False
            case frames.Ready():
                self._note_ready(peer.worker)
                return False
            case frames.Started() | frames.Ops() | frames.Marked() | frames.Sampled():
                return True
            case frames.Finished():
                if not self._stopping:
                    self._lose(peer, "stopped in the middle of the load although nobody asked it to")
                return True
        raise UnknownPeer(f"{peer.name} sent {type(frame).__name__}, which is not its to send")

    def disconnected(self, peer: Peer) -> None:
        """Its connection ended."""
        peer.disconnected = True
        if peer in self._waiting:
            self._waiting.remove(peer)
        if peer.worker is not None and not peer.finished:
            self._lose(peer, "is lost: its connection ended before the load did")

    def silent(self, peer: Peer, silent_s: float) -> None:
        """It has said nothing for so long."""
        if silent_s >= LOST_S and not self._stopping:
            self._lose(peer, f"is lost: it has been silent for {silent_s:.1f} s")

    def stop(self, grace_s: float) -> None:
        """Tell all to stop at one common moment and to be done in `grace_s`."""
        self._stopping = True
        lead_s = min(STOP_LEAD_S, grace_s / 2)
        until_ns = time.monotonic_ns() - self._t0_ns + round(lead_s * NS)
        for peer in list(self._members.values()):
            peer.send(frames.Stop(grace_s, until_ns))

    def _identify(self, peer: Peer, frame: frames.Frame) -> None:
        if not isinstance(frame, frames.Hello | frames.Listening):
            raise UnknownPeer("a connection began without a hello")
        if not hmac.compare_digest(frame.token.encode(), self._token.encode()):
            raise UnknownPeer("a connection gave another token")
        peer.known = True
        if isinstance(frame, frames.Listening):
            peer.name = "Locust's master"
            self.master_port = frame.port
            for other in self._waiting:
                self._enlist(other)
            self._waiting.clear()
        else:
            peer.name = f"process {frame.pid} on {frame.host}"
            if self.master_port is None:
                self._waiting.append(peer)
            else:
                self._enlist(peer)

    def _enlist(self, peer: Peer) -> None:
        assert self.master_port is not None
        number = len(self._members)
        if number >= self.size:
            peer.send(frames.Refused(f"all {self.size} workers of this drill have joined: this one is not needed"))
            return
        peer.worker, peer.name = number, f"worker {number} ({peer.name})"
        self._members[number] = peer
        log.info("%s joined", peer.name)
        peer.send(frames.Enlisted(number, self.size, self.master_port, self._settings))

    def _note_ready(self, worker: int) -> None:
        self._ready.add(worker)
        if len(self._ready) == self.size and not self._begun:
            self._begun = True
            at_ns = time.monotonic_ns() - self._t0_ns + round(BEGIN_LEAD_S * NS)
            for peer in self._members.values():
                peer.send(frames.Begin(at_ns))

    def _lose(self, peer: Peer, how: str) -> None:
        self.trouble = self.trouble or f"{peer.name} {how}"
