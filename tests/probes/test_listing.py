"""A list is read to its last page, however pages lead to each other, and one that is none is refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest

from drill.content import of_order
from infra_fixtures.targets.world import Endpoint
from probes.listing import ListingUnreadable, list_records
from probes.web import ProbeRefused
from traffic.contract import Listing, Next

KEYS = list(range(100, 123))
PAGE = 5
Serve = Callable[[int], tuple[Any, dict[str, str]]]


class Shop:
    """A real HTTP server that shows KEYS in pages of five; `serve` makes the answer of the page that begins at an index."""

    def __init__(self, serve: Serve) -> None:
        shop = self
        self.asked: list[str] = []
        self.keys: list[Any] = list(KEYS)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                shop.asked.append(self.path)
                query = parse_qs(urlsplit(self.path).query)
                page, headers = serve(int(query.get("from", query.get("page", ["0"]))[0]))
                body = json.dumps(page).encode()
                self.send_response(200 if self.headers["x-api-key"] == "k" else 403)
                for name, value in {**headers, "content-length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.endpoint = Endpoint(f"http://127.0.0.1:{self.server.server_port}/v1", {"x-api-key": "k"})


@pytest.fixture
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """The shop of the serving function that the test is given."""
    made = Shop(request.param)
    yield made
    made.server.shutdown()
    made.server.server_close()


def items(start: int) -> list[dict[str, Any]]:
    """Five records, their keys as text."""
    return [{"id": str(k), "data": {"n": k + 1}} for k in KEYS[start : start + PAGE]]


def more(start: int) -> str | None:
    """Where the next five are, by another host's name; None on the last page."""
    return f"http://elsewhere.example/v1/things?from={start + PAGE}" if start + PAGE < len(KEYS) else None


def by_pointer(start: int) -> tuple[Any, dict[str, str]]:
    """In the body."""
    return {"things": items(start), "next": more(start)}, {}


def by_header(start: int) -> tuple[Any, dict[str, str]]:
    """In a header of its own."""
    return {"things": items(start)}, {"Next-Page": following} if (following := more(start)) else {}


def by_link(start: int) -> tuple[Any, dict[str, str]]:
    """In a Link header, among others."""
    links = ['</v1/things?from=0>; rel="first"', *([f'<{f}>; title="x"; rel="next"'] if (f := more(start)) else [])]
    return {"things": items(start)}, {"Link": ", ".join(links)}


def by_number(page: int) -> tuple[Any, dict[str, str]]:
    """By a count of pages."""
    return {"things": items((page - 1) * PAGE)}, {}


def by_offset(start: int) -> tuple[Any, dict[str, str]]:
    """By a count of records."""
    return {"things": items(start)}, {}


@pytest.mark.parametrize(
    ("shop", "way"),
    [
        (by_pointer, Next(pointer="/next")),
        (by_header, Next(header="Next-Page")),
        (by_link, Next(link=True)),
        (by_number, Next(parameter="page")),
        (by_offset, Next(parameter="from", first=0, step=PAGE)),
    ],
    indirect=["shop"],
)
def test_every_page_is_read_once_from_the_endpoint_that_was_asked(shop: Shop, way: Next) -> None:
    """Whatever host the pages name, and with the endpoint's headers; keys may be text."""
    listing = Listing("/things?sort=id", items="/things", key="/id", content="/data/n", next=way)
    found = list(list_records(shop.endpoint, listing, "us-east-1", 0))
    assert [(s.store, s.key, s.copies, s.region, s.content) for s in found] == [
        ("aurora", k, 1, "us-east-1", of_order(k, k + 1)) for k in KEYS
    ]
    assert len(shop.asked) == len(set(shop.asked))
    assert all(path.startswith("/v1/things?") for path in shop.asked)


def odd(_: int) -> tuple[Any, dict[str, str]]:
    """Records alike, with strange contents, with no number as key, and none at all."""
    rows: list[Any] = [{"id": 7, "n": 8}, {"id": 7, "n": 8}, {"id": 7, "n": "x"}, {"id": "settings"}, {"n": 1}, 5]
    return rows, {}


@pytest.mark.parametrize("shop", [odd], indirect=True)
def test_copies_are_counted_and_what_has_no_number_is_none_of_the_drill_s(shop: Shop) -> None:
    """Two records alike are two copies, another content stands apart, and it is that of no write."""
    found = list(list_records(shop.endpoint, Listing("/", key="/id", content="/n"), "us-east-1", 0))
    assert [(s.key, s.copies) for s in found] == [(7, 2), (7, 1)]
    assert found[0].content == of_order(7, 8)
    assert found[1].content not in (None, of_order(7, 8))
    assert [s.content for s in list_records(shop.endpoint, Listing("/", key="/id"), "us-east-1", 0)] == [None]


@pytest.mark.parametrize("shop", [by_offset], indirect=True)
def test_its_connection_ends_with_the_last_page(shop: Shop) -> None:
    """Whoever takes the records one by one, or gives up, holds no connection to the application."""
    found = list_records(shop.endpoint, Listing("/things", items="/things", key="/id"), "us-east-1", 0)
    assert next(found).key == KEYS[0]
    port = shop.server.server_port
    held = [c for c in psutil.Process().net_connections("tcp") if c.raddr and c.raddr.port == port]
    assert not [c for c in held if c.status == psutil.CONN_ESTABLISHED]


def circle(_: int) -> tuple[Any, dict[str, str]]:
    """A page that leads to itself."""
    return {"things": [], "next": "/v1/things"}, {}


@pytest.mark.parametrize("shop", [circle], indirect=True)
def test_a_list_that_is_none_proves_nothing(shop: Shop) -> None:
    """A circle, no array, no key where there should be one, a refusal: reading raises."""
    ask = shop.endpoint
    with pytest.raises(ListingUnreadable, match="leads back to a page"):
        list(list_records(ask, Listing("/things", items="/things", next=Next(pointer="/next")), "r", 0))
    with pytest.raises(ListingUnreadable, match="shows no array at /next"):
        list(list_records(ask, Listing("/things", items="/next"), "r", 0))
    with pytest.raises(ProbeRefused, match=r"GET .*: 403"):
        list(list_records(Endpoint(ask.url), Listing("/things", items="/things"), "r", 0))


@pytest.mark.parametrize("shop", [by_offset], indirect=True)
def test_a_key_that_is_nowhere_is_a_mistake_in_the_description(shop: Shop) -> None:
    """Not a system that lost everything."""
    with pytest.raises(ListingUnreadable, match=r"has a number at /key: look at survivors\.listing\.key"):
        list(list_records(shop.endpoint, Listing("/things", items="/things"), "r", 0))


@pytest.mark.parametrize("shop", [lambda _start: ([{"id": "1", "data": {"n": 2}}], {})], indirect=True)
def test_a_service_that_ignores_the_page_is_not_read_for_ever(shop: Shop) -> None:
    """It shows its first page whatever is asked for: that is said at the second."""
    listing = Listing(path="/records", key="/id", next=Next(parameter="page"))
    with pytest.raises(ListingUnreadable, match="the same page again and again"):
        list(list_records(shop.endpoint, listing, "here", 0))
    assert len(shop.asked) == 2


@pytest.mark.parametrize("shop", [lambda _start: ({"all": [{"id": "1"}], "next": 7}, {})], indirect=True)
def test_a_next_page_that_is_no_address_is_a_mistake_in_the_description(shop: Shop) -> None:
    """Else only the first page would be read, and the rest counted as lost."""
    listing = Listing(path="/records", items="/all", key="/id", next=Next(pointer="/next"))
    with pytest.raises(ListingUnreadable, match="/next is no address of a next page"):
        list(list_records(shop.endpoint, listing, "here", 0))
