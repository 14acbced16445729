"""Where users come in and what they reach: the addresses of each site, so that it can be told which of them served."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from drill.unusable import UnusableInput
from infra_fixtures.targets.attach.description import Description, Site


def regions_by_address(described: Description) -> dict[str, str]:
    """Which site each address leads to; raises UnusableInput where that cannot be told.

    Sites that share an address (behind one load balancer) are told apart by the application's own answers alone.
    """
    found: dict[str, set[str]] = {}
    for site in described.sites:
        for address in site.addresses or _addresses(site):
            found.setdefault(address, set()).add(site.name)
    return {address: min(names) for address, names in found.items() if len(names) == 1}


def _addresses(site: Site) -> tuple[str, ...]:
    host = urlsplit(site.url).hostname or ""
    try:
        return (str(ipaddress.ip_address(host)),)
    except ValueError:
        pass
    try:
        told = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except OSError as e:
        raise UnusableInput(
            f"the site {site.name} has no address: {host} cannot be resolved ({e}); write the addresses that DNS gives for "
            "it as addresses = [...]"
        ) from e
    return tuple(sorted({str(entry[4][0]) for entry in told}))


def is_name(url: str) -> bool:
    """Whether a URL names its host, so that DNS decides where it leads."""
    try:
        ipaddress.ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return True
    return False


def password(site: Site, beside: Path, environment: Mapping[str, str]) -> str:
    """The password of a site's database; raises UnusableInput where it is not to be had."""
    database = site.database
    assert database is not None
    if database.password_env is not None:
        said = environment.get(database.password_env)
        if not said:
            raise UnusableInput(f"set {database.password_env}: the password of the database of {site.name}")
        return said
    path = beside / str(database.password_file)
    try:
        return path.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as e:
        raise UnusableInput(f"the password of the database of {site.name} cannot be read from {path}: {e}") from e
