"""The change stream as probes see it: wait for the next change of some services."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter

import msgspec

from infra_fixtures.data_plane.follow import Change
from infra_fixtures.site import Site


class ChangeBoard:
    """Listens to the front's change stream in a thread and wakes who waits."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._seen: Counter[str] = Counter()
        self._news = threading.Condition()
        self._stopped = False
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._listen, name="change-board", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and wake everyone."""
        self._stopped = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        with self._news:
            self._news.notify_all()

    def wait(self, services: frozenset[str], timeout_s: float) -> None:
        """Return once one of `services` changes after this call began, or after `timeout_s`."""
        with self._news:
            before = {s: self._seen[s] for s in services}
            self._news.wait_for(
                lambda: self._stopped or any(self._seen[s] != n for s, n in before.items()), timeout=timeout_s
            )

    def _listen(self) -> None:
        decoder = msgspec.json.Decoder(Change)
        with contextlib.suppress(OSError):
            internal = self._site.internal
            (secret,) = (f"{k}: {v}" for k, v in self._site.credentials.bearer.items())
            self._socket = socket.create_connection((internal.host, internal.port), timeout=5)
            self._socket.settimeout(None)
            self._socket.sendall(f"GET /_drill/changes HTTP/1.0\r\nHost: {internal}\r\n{secret}\r\n\r\n".encode())
            with self._socket.makefile("rb") as stream:
                for line in stream:
                    if not line.startswith(b"{"):
                        continue  # the response's own head
                    change = decoder.decode(line)
                    with self._news:
                        self._seen[change.service] += 1
                        self._news.notify_all()
