"""The change stream as probes see it: wait for the next change of some services."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from typing import BinaryIO

import msgspec

from infra_fixtures.access.peer import require_server
from infra_fixtures.internal_api.changes import Change
from infra_fixtures.run_layout import RunLayout

CONNECT_LIMIT_S = 5.0


class ChangeFeed:
    """Listens to the front's change stream in a thread and wakes who waits."""

    def __init__(self, layout: RunLayout) -> None:
        self._layout = layout
        self._seen: Counter[str] = Counter()
        self._news = threading.Condition()
        self._stopped = False
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._listen, name="change-feed", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and wake everyone; on return the thread and its connection are gone."""
        with self._news:
            self._stopped = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
            self._news.notify_all()
        if self._thread.ident is not None:
            self._thread.join(CONNECT_LIMIT_S)

    def wait(self, services: frozenset[str], timeout_s: float) -> None:
        """Return once one of `services` changes after this call began, or after `timeout_s`."""
        with self._news:
            before = {s: self._seen[s] for s in services}
            self._news.wait_for(
                lambda: self._stopped or any(self._seen[s] != n for s, n in before.items()), timeout=timeout_s
            )

    def _listen(self) -> None:
        internal = self._layout.internal
        with (
            contextlib.suppress(OSError),
            socket.create_connection((internal.host, internal.port), timeout=CONNECT_LIMIT_S) as connection,
        ):
            require_server(connection)
            connection.settimeout(None)
            with self._news:
                if self._stopped:
                    return
                self._socket = connection
            (secret,) = (f"{k}: {v}" for k, v in self._layout.credentials.bearer.items())
            connection.sendall(f"GET /_drill/changes HTTP/1.0\r\nHost: {internal}\r\n{secret}\r\n\r\n".encode())
            with connection.makefile("rb") as stream:
                self._read(stream)

    def _read(self, stream: BinaryIO) -> None:
        decoder = msgspec.json.Decoder(Change)
        for line in stream:
            if not line.startswith(b"{"):
                continue  # the response's own head
            change = decoder.decode(line)
            with self._news:
                self._seen[change.service] += 1
                self._news.notify_all()
