"""The clients' resolver against a real name server: TTL, one query for many, aliases, failures."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import dns.rcode
import gevent
import pytest

from drill.wait import wait_until
from infra_fixtures.site import Site
from tests.traffic.name_server import NameServer
from traffic.resolver import Route53Resolver

NAME = "api.dr-drill.example"


@pytest.fixture
def names(site: Site) -> Iterator[NameServer]:
    """A name server with one address and a TTL of 1 s."""
    with NameServer(site.dns.host, site.dns.port, "127.0.0.8", ttl=1) as server:
        yield server


class Heard(list[tuple[str, tuple[str, ...]]]):
    """Collects what `on_change` is told."""

    def __call__(self, name: str, addresses: tuple[str, ...]) -> None:
        """Take one change down."""
        self.append((name, addresses))


def resolver(site: Site, heard: Heard | None = None, timeout_s: float = 1.0) -> Route53Resolver:
    """A resolver that asks the test's name server."""
    return Route53Resolver(
        site.dns.host, site.dns.port, timeout_s=timeout_s, on_change=heard if heard is not None else Heard()
    )


def test_an_answer_is_kept_for_its_ttl_and_no_longer(site: Site, names: NameServer) -> None:
    """Within the TTL the old answer holds, after it the new one, and only changes are told."""
    heard = Heard()
    made = resolver(site, heard)
    assert made.addresses(NAME) == ("127.0.0.8",)
    names.addresses = ("127.0.0.9",)
    asked = time.monotonic()
    assert made.addresses(NAME) == ("127.0.0.8",)
    wait_until(lambda: made.addresses(NAME) == ("127.0.0.9",), what="the new answer", timeout_s=2)
    assert 0.9 < time.monotonic() - asked < 1.2
    assert heard == [(NAME, ("127.0.0.8",)), (NAME, ("127.0.0.9",))]
    assert len(names.asked) == 2


def test_many_requests_at_once_make_one_query(site: Site, names: NameServer) -> None:
    """Single flight: a load of clients whose answer expires together asks once."""
    made = resolver(site)
    flights = [gevent.spawn(made.addresses, NAME) for _ in range(50)]
    assert [f.get(timeout=2) for f in flights] == [("127.0.0.8",)] * 50
    assert len(names.asked) == 1


def test_an_alias_is_followed(site: Site, names: NameServer) -> None:
    """A CNAME without its address in the same answer is asked for in turn, as a recursive resolver would."""
    names.alias = "d-1.execute-api.us-east-1.amazonaws.com."
    assert resolver(site).addresses(NAME) == ("127.0.0.8",)
    assert [name for _, name in names.asked] == [f"{NAME}.", names.alias]


@pytest.mark.parametrize(
    ("rcode", "number"), [(dns.rcode.NXDOMAIN, socket.EAI_NONAME), (dns.rcode.SERVFAIL, socket.EAI_AGAIN)]
)
def test_a_failure_is_a_gaierror_and_is_not_kept(
    site: Site, names: NameServer, rcode: dns.rcode.Rcode, number: int
) -> None:
    """NXDOMAIN and SERVFAIL are what the system's resolver would raise; the next caller asks again."""
    made = resolver(site)
    names.rcode = rcode
    with pytest.raises(socket.gaierror) as failed:
        made.addresses(NAME)
    assert failed.value.errno == number
    names.rcode = None
    assert made.addresses(NAME) == ("127.0.0.8",)


def test_a_deaf_name_server_fails_in_time_after_asking_again(site: Site, names: NameServer) -> None:
    """A lost packet is sent again; no answer at all is a failure once the time is up."""
    names.deaf = True
    began = time.monotonic()
    with pytest.raises(socket.gaierror, match=r"no answer in 0\.7 s"):
        resolver(site, timeout_s=0.7).addresses(NAME)
    assert 0.65 < time.monotonic() - began < 1.0
    assert len(names.asked) == 2


def test_addresses_and_bare_names_go_the_systems_way(site: Site, names: NameServer) -> None:
    """An address or localhost never reaches the zone's name server."""
    made = resolver(site)
    assert made.getaddrinfo("127.0.0.1", 80)[0][4] == ("127.0.0.1", 80)
    assert made.getaddrinfo("localhost", 80, socket.AF_INET)[0][4] == ("127.0.0.1", 80)
    assert names.asked == []
