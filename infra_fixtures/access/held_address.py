"""An address that stays this process's own while it refuses: nobody else can listen where a client is to be turned away.

A closed listener leaves its port to any user of the machine, who then is given what was meant for the run: an API key, a
write to acknowledge. A bound socket that does not listen refuses a connection as an unbound port does, and keeps the port.
"""

from __future__ import annotations

import socket


class HeldAddress:
    """A TCP address, bound from the beginning to `close`; OSError where somebody has it."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._listens = False
        self._socket = self._bound()

    def listen(self, backlog: int) -> socket.socket:
        """Listen; a socket of its own for whoever accepts, to be closed by them. OSError where that cannot be."""
        if not self._listens:
            self._reuse(True)  # connections of the past are no obstacle, as they were none when it was bound
            self._socket.listen(backlog)
            self._listens = True
        accepting = self._socket.dup()
        accepting.setblocking(False)
        return accepting

    def refuse(self) -> None:
        """Refuse connections, reset those that nobody has accepted; those that were accepted stay."""
        if self._listens:
            self._reuse(False)  # a second socket may be bound beside one that allows it and does not listen
            self._socket.shutdown(socket.SHUT_RDWR)
            self._listens = False

    def close(self) -> None:
        """Give the address back; may be called twice."""
        self._listens = False
        self._socket.close()

    def _bound(self) -> socket.socket:
        own = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            own.bind((self._host, self._port))
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        except OSError:
            own.close()
            raise
        return own

    def _reuse(self, allowed: bool) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(allowed))
