"""Which user is behind a TCP connection on this machine: the kernel knows who made the other end's socket.

Asked of sock_diag (https://man7.org/linux/man-pages/man7/sock_diag.7.html), 11 us; where that is not to be had, of
/proc/net/tcp, milliseconds.

A port of a run is free while its process is down, and any user may listen there then. So whoever is about to tell a run's
process a secret, or to believe what it says, first asks who has accepted the connection (`require_server`).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from pathlib import Path
from typing import NamedTuple

SockAddress = tuple[str, int]
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST = 1
_ANY = 0xFFFFFFFF
_ESTABLISHED, _SYN_RECEIVED, _LISTEN = 1, 3, 10
_NOBODY: SockAddress = ("0.0.0.0", 0)
_ADDRESSES = struct.Struct("!HH4s12x4s12x")
_HEADER = struct.Struct("=IHHII")
_ANSWER = struct.Struct("=IIIII")


class ForeignServer(ConnectionRefusedError):
    """Another user listens where a process of the run should: as good as nobody, and never told anything."""

    def __init__(self, there: SockAddress, user: int) -> None:
        super().__init__(errno.ECONNREFUSED, f"user {user}, who is not of this run, listens on {there[0]}:{there[1]}")
        self.user = user


class _Socket(NamedTuple):
    """A socket as the kernel has it; `inode` is 0 where no process holds it (not accepted yet, or closed)."""

    state: int
    user: int
    inode: int


def user_of(peer: SockAddress, here: SockAddress) -> int | None:
    """The uid that owns the socket at `peer` whose connection leads to `here` (IPv4); None where there is none such."""
    found = _find(peer, here)
    return found.user if found is not None and found.inode and found.state != _LISTEN else None


def server_of(connection: socket.socket) -> int | None:
    """The uid that serves a connection which this process has made (IPv4); None where it has ended.

    It is who accepted it, or who listens there while nobody has: the connection is looked at again after the listener, which
    is therefore the one whose queue it is in.
    """
    there, here = connection.getpeername(), connection.getsockname()
    accepted = user_of(there, here)
    if accepted is not None:
        return accepted
    listener, again = _find(there, _NOBODY), _find(there, here)
    if again is None or again.state not in (_ESTABLISHED, _SYN_RECEIVED):
        return None
    if again.inode:
        return again.user
    return listener.user if listener is not None and listener.state == _LISTEN else None


def require_server(connection: socket.socket, owner: int | None = None) -> None:
    """Raise where a connection that this process has made leads to anybody but `owner` (None: this process's own user).

    ForeignServer where somebody else serves it, ConnectionResetError where nobody does any more.
    """
    try:
        there = connection.getpeername()
        user = server_of(connection)
    except OSError as e:
        raise ConnectionResetError(errno.ECONNRESET, "the connection has ended") from e
    if user is None:
        raise ConnectionResetError(errno.ECONNRESET, f"nobody serves {there[0]}:{there[1]} any more")
    if user != (os.geteuid() if owner is None else owner):
        raise ForeignServer(there, user)


def _find(at: SockAddress, remote: SockAddress) -> _Socket | None:
    """The socket at `at` that is connected to `remote`, or else the listener there."""
    try:
        return _diagnosed(at, remote)
    except OSError:
        return _listed(at, remote)


def _diagnosed(at: SockAddress, remote: SockAddress) -> _Socket | None:
    asked = (
        struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY)
        + _ADDRESSES.pack(at[1], remote[1], socket.inet_aton(at[0]), socket.inet_aton(remote[0]))
        + struct.pack("=III", 0, _ANY, _ANY)
    )
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(1.0)
        kernel.send(_HEADER.pack(_HEADER.size + len(asked), _SOCK_DIAG_BY_FAMILY, _REQUEST, 1, 0) + asked)
        answer = kernel.recv(4096)
    _, kind, _, _, _ = _HEADER.unpack_from(answer)
    if kind != _SOCK_DIAG_BY_FAMILY:
        number = -struct.unpack_from("=i", answer, _HEADER.size)[0]
        if number == 2:  # ENOENT: no such socket
            return None
        raise OSError(number, "sock_diag refused")
    _, _, _, user, inode = _ANSWER.unpack_from(answer, _HEADER.size + 4 + 48)
    return _Socket(answer[_HEADER.size + 1], user, inode)


def _listed(at: SockAddress, remote: SockAddress) -> _Socket | None:
    local, far = _hexadecimal(at), _hexadecimal(remote)
    anywhere = {local, _hexadecimal(("0.0.0.0", at[1]))}
    listener: _Socket | None = None
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        found = _Socket(int(columns[3], 16), int(columns[7]), int(columns[9]))
        if (columns[1], columns[2]) == (local, far) and found.state != _LISTEN:
            return found
        if found.state == _LISTEN and columns[1] in anywhere and (listener is None or columns[1] == local):
            listener = found
    return listener


def _hexadecimal(address: SockAddress) -> str:
    return f"{struct.unpack('=I', socket.inet_aton(address[0]))[0]:08X}:{address[1]:04X}"
