"""The clients' resolver against a real name server: TTL, one query for many, aliases, failures."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import dns.rcode
import gevent
import pytest

from drill.wait import wait_until
from infra_fixtures.run_layout import RunLayout
from tests.traffic.name_server import NameServer
from traffic.resolver import Route53Resolver

NAME = "api.dr-drill.example"
ALIASED = "d-1.execute-api.us-east-1.amazonaws.com."


@pytest.fixture
def names(layout: RunLayout) -> Iterator[NameServer]:
    """A name server with one address and a TTL of 1 s."""
    with NameServer(layout.dns.host, layout.dns.port, "127.0.0.8", ttl=1) as server:
        yield server


class Heard(list[tuple[str, tuple[str, ...]]]):
    """Collects what `on_change` is told."""

    def __call__(self, name: str, addresses: tuple[str, ...]) -> None:
        """Take one change down."""
        self.append((name, addresses))


def resolver(layout: RunLayout, heard: Heard | None = None, timeout_s: float = 1.0) -> Route53Resolver:
    """A resolver that asks the test's name server."""
    return Route53Resolver(
        layout.dns.host, layout.dns.port, timeout_s=timeout_s, on_change=heard if heard is not None else Heard()
    )


def test_an_answer_is_kept_for_its_ttl_and_no_longer(layout: RunLayout, names: NameServer) -> None:
    """Within the TTL the old answer holds, after it the new one, and only changes are told."""
    heard = Heard()
    made = resolver(layout, heard)
    assert made.addresses(NAME) == ("127.0.0.8",)
    names.addresses = ("127.0.0.9",)
    asked = time.monotonic()
    assert made.addresses(NAME) == ("127.0.0.8",)
    wait_until(lambda: made.addresses(NAME) == ("127.0.0.9",), what="the new answer", timeout_s=2)
    assert 0.9 < time.monotonic() - asked < 1.2
    assert heard == [(NAME, ("127.0.0.8",)), (NAME, ("127.0.0.9",))]
    assert len(names.asked) == 2


def test_many_requests_at_once_make_one_query(layout: RunLayout, names: NameServer) -> None:
    """Single flight: a load of clients whose answer expires together asks once."""
    made = resolver(layout)
    flights = [gevent.spawn(made.addresses, NAME) for _ in range(50)]
    assert [f.get(timeout=2) for f in flights] == [("127.0.0.8",)] * 50
    assert len(names.asked) == 1


def test_an_alias_is_followed(layout: RunLayout, names: NameServer) -> None:
    """A CNAME without its address in the same answer is asked for in turn, as a recursive resolver would."""
    names.aliases = {f"{NAME}.": (ALIASED, 1)}
    assert resolver(layout).addresses(NAME) == ("127.0.0.8",)
    assert [name for _, name in names.asked] == [f"{NAME}.", ALIASED]


@pytest.mark.parametrize("whole", [True, False], ids=["in one answer", "in an answer each"])
def test_each_record_of_a_chain_is_kept_for_its_own_ttl(layout: RunLayout, names: NameServer, whole: bool) -> None:
    """An alias of an hour stays for the hour: once the address behind it expired, only that one is asked for again."""
    names.aliases = {f"{NAME}.": (ALIASED, 3600)}
    names.whole = whole
    made = resolver(layout)
    assert made.addresses(NAME) == ("127.0.0.8",)
    names.aliases = {f"{NAME}.": ("elsewhere.example.", 3600)}
    names.addresses = ("127.0.0.9",)
    names.asked.clear()
    wait_until(lambda: made.addresses(NAME) == ("127.0.0.9",), what="the new address", timeout_s=2)
    assert [name for _, name in names.asked] == [ALIASED]


def test_an_alias_that_expires_is_asked_for_and_what_it_leads_to_is_not(layout: RunLayout, names: NameServer) -> None:
    """The other way round: an alias of a second moves on to an address that is known for an hour."""
    other = "d-2.execute-api.us-west-2.amazonaws.com."
    names.ttl = 3600
    made = resolver(layout)
    assert made.addresses(ALIASED) == ("127.0.0.8",)
    names.addresses = ("127.0.0.9",)
    assert made.addresses(other) == ("127.0.0.9",)
    names.aliases = {f"{NAME}.": (ALIASED, 1)}
    assert made.addresses(NAME) == ("127.0.0.8",)
    names.aliases = {f"{NAME}.": (other, 1)}
    names.asked.clear()
    wait_until(lambda: made.addresses(NAME) == ("127.0.0.9",), what="the alias to move on", timeout_s=2)
    assert {name for _, name in names.asked} == {f"{NAME}."}


def test_a_change_behind_a_shared_alias_is_told_of_each_name(layout: RunLayout, names: NameServer) -> None:
    """Two names lead to one address: the query of the first serves the second, and both changes are told."""
    second = "www.dr-drill.example"
    names.aliases = {f"{NAME}.": (ALIASED, 3600), f"{second}.": (ALIASED, 3600)}
    heard = Heard()
    made = resolver(layout, heard)
    assert made.addresses(NAME) == made.addresses(second) == ("127.0.0.8",)
    names.addresses = ("127.0.0.9",)
    wait_until(lambda: made.addresses(NAME) == ("127.0.0.9",), what="the new address", timeout_s=2)
    assert made.addresses(second) == ("127.0.0.9",)
    assert heard[-2:] == [(NAME, ("127.0.0.9",)), (second, ("127.0.0.9",))]


def test_a_ttl_of_zero_serves_those_who_asked(layout: RunLayout, names: NameServer) -> None:
    """A record that may not be kept is still an answer, and the next caller asks again."""
    names.ttl = 0
    names.aliases = {f"{NAME}.": (ALIASED, 0)}
    made = resolver(layout)
    assert made.addresses(NAME) == made.addresses(NAME) == ("127.0.0.8",)
    assert [name for _, name in names.asked] == [f"{NAME}.", ALIASED] * 2


def test_aliases_that_lead_in_a_circle_end(layout: RunLayout, names: NameServer) -> None:
    """A name that is its own alias by a detour is a failure like any other, not an endless loop."""
    names.aliases = {f"{NAME}.": (ALIASED, 1), ALIASED: (f"{NAME}.", 1)}
    with pytest.raises(socket.gaierror, match="aliases in a row"):
        resolver(layout).addresses(NAME)


@pytest.mark.parametrize(
    ("rcode", "number"), [(dns.rcode.NXDOMAIN, socket.EAI_NONAME), (dns.rcode.SERVFAIL, socket.EAI_AGAIN)]
)
def test_a_failure_is_a_gaierror_and_is_not_kept(
    layout: RunLayout, names: NameServer, rcode: dns.rcode.Rcode, number: int
) -> None:
    """NXDOMAIN and SERVFAIL are what the system's resolver would raise; the next caller asks again."""
    made = resolver(layout)
    names.rcode = rcode
    with pytest.raises(socket.gaierror) as failed:
        made.addresses(NAME)
    assert failed.value.errno == number
    names.rcode = None
    assert made.addresses(NAME) == ("127.0.0.8",)


def test_a_deaf_name_server_fails_in_time_after_asking_again(layout: RunLayout, names: NameServer) -> None:
    """A lost packet is sent again; no answer at all is a failure once the time is up."""
    names.deaf = True
    began = time.monotonic()
    with pytest.raises(socket.gaierror, match=r"no answer in 0\.7 s"):
        resolver(layout, timeout_s=0.7).addresses(NAME)
    assert 0.65 < time.monotonic() - began < 1.0
    assert len(names.asked) == 2


def test_addresses_and_bare_names_go_the_systems_way(layout: RunLayout, names: NameServer) -> None:
    """An address or localhost never reaches the zone's name server."""
    made = resolver(layout)
    assert made.getaddrinfo("127.0.0.1", 80)[0][4] == ("127.0.0.1", 80)
    assert made.getaddrinfo("localhost", 80, socket.AF_INET)[0][4] == ("127.0.0.1", 80)
    assert names.asked == []
