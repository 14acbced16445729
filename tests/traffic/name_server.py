"""A small real DNS server over UDP whose one answer a test can change while it runs."""

from __future__ import annotations

import socket
import threading
import time
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class NameServer:
    """Answers A queries for any name with `addresses` and `ttl`; with `rcode` where that is set.

    Logs when it was asked for what (`asked`), and the number of each query (`queries`), which a repeated one shares.
    """

    def __init__(self, host: str, port: int, *addresses: str, ttl: int = 1) -> None:
        self.host, self.port = host, port
        self.addresses = addresses
        self.ttl = ttl
        self.rcode: dns.rcode.Rcode | None = None
        self.aliases: dict[str, tuple[str, int]] = {}
        """By name: the name that it is an alias of, and for how many seconds."""
        self.whole = False
        """Whether an answer holds all that an alias leads to, as an authority for all of it gives it."""
        self.deaf = False
        self.asked: list[tuple[float, str]] = []
        self.queries: list[tuple[int, float]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self._socket.settimeout(0.05)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                wire, client = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            query = dns.message.from_wire(wire)
            name = query.question[0].name
            self.asked.append((time.monotonic(), name.to_text()))
            self.queries.append((query.id, self.asked[-1][0]))
            if self.deaf:
                continue
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.AA
            if self.rcode is not None:
                answer.set_rcode(self.rcode)
            elif query.question[0].rdtype == dns.rdatatype.A:
                self._fill(answer, name.to_text())
            self._socket.sendto(answer.to_wire(), client)

    def _fill(self, answer: dns.message.Message, name: str) -> None:
        """The record set of the name, and where the answer is to be whole all that it leads to."""
        while name in self.aliases:
            target, ttl = self.aliases[name]
            answer.answer.append(dns.rrset.from_text(name, ttl, "IN", "CNAME", target))
            if not self.whole:
                return
            name = target
        answer.answer.append(dns.rrset.from_text(name, self.ttl, "IN", "A", *self.addresses))
