"""Nothing here ever speaks to AWS: a client's endpoint is on this machine, a LocalStack's address not on a public network."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

from drill.unusable import UnusableInput


def refuse_elsewhere(url: str) -> None:
    """Raise UnusableInput where a client would speak to anything but this machine."""
    host = urlsplit(url).hostname or ""
    if not _all_are(host, "is_loopback"):
        raise UnusableInput(f"an AWS client would speak to {url}, which is not this machine: nothing was sent")


def refuse_public(url: str) -> None:
    """Raise UnusableInput for the address of a LocalStack that is on a public network, or cannot be found."""
    host = urlsplit(url).hostname or ""
    if not _all_are(host, "is_private"):
        raise UnusableInput(f"{url} is no LocalStack of this machine or a private network: give one that is")


def _all_are(host: str, kind: str) -> bool:
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return False
    return bool(found) and all(getattr(ipaddress.ip_address(address), kind) for address in found)
