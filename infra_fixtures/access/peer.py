"""Which user is behind a TCP connection on this machine: the kernel knows who made the other end's socket.

Asked of sock_diag (https://man7.org/linux/man-pages/man7/sock_diag.7.html), 15 us; where that is not to be had, of
/proc/net/tcp, milliseconds.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path

SockAddress = tuple[str, int]
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST = 1
_ANY = 0xFFFFFFFF
_ESTABLISHED = "01"
_ADDRESSES = struct.Struct("!HH4s12x4s12x")
_HEADER = struct.Struct("=IHHII")
_ANSWER = struct.Struct("=IIIII")


def user_of(peer: SockAddress, here: SockAddress) -> int | None:
    """The uid that owns the socket at `peer` whose connection leads to `here` (IPv4); None where there is none such."""
    try:
        return _diagnosed(peer, here)
    except OSError:
        return _listed(peer, here)


def _diagnosed(peer: SockAddress, here: SockAddress) -> int | None:
    asked = (
        struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, _ANY)
        + _ADDRESSES.pack(peer[1], here[1], socket.inet_aton(peer[0]), socket.inet_aton(here[0]))
        + struct.pack("=III", 0, _ANY, _ANY)
    )
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(1.0)
        kernel.send(_HEADER.pack(_HEADER.size + len(asked), _SOCK_DIAG_BY_FAMILY, _REQUEST, 1, 0) + asked)
        answer = kernel.recv(4096)
    _, kind, _, _, _ = _HEADER.unpack_from(answer)
    if kind != _SOCK_DIAG_BY_FAMILY:
        number = -struct.unpack_from("=i", answer, _HEADER.size)[0]
        if number == 2:  # ENOENT: no such connection
            return None
        raise OSError(number, "sock_diag refused")
    _, _, _, uid, inode = _ANSWER.unpack_from(answer, _HEADER.size + 4 + 48)
    return int(uid) if inode else None


def _listed(peer: SockAddress, here: SockAddress) -> int | None:
    local, remote = _hexadecimal(peer), _hexadecimal(here)
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        if (columns[1], columns[2], columns[3]) == (local, remote, _ESTABLISHED) and columns[9] != "0":
            return int(columns[7])
    return None


def _hexadecimal(address: SockAddress) -> str:
    return f"{struct.unpack('=I', socket.inet_aton(address[0]))[0]:08X}:{address[1]:04X}"
