"""What an application itself lists: every record that it shows over HTTP, page by page, with its content."""

from __future__ import annotations

import itertools
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import urllib3

from drill.content import checksum, of_order
from drill.history import Survivor
from infra_fixtures.targets.world import Endpoint
from probes.web import Client
from traffic.contract import Listing, Next
from traffic.pointer import find

STORE = "aurora"
"""The records' name for the store of an application's writes, whatever database holds them."""
WHOLE_LIMIT_S = 300.0
"""A list that is longer is read past the application, or not at all: the fault still stands meanwhile."""
PAGE_LIMIT = urllib3.Timeout(connect=2.0, read=60.0)
_LINK = re.compile(r"<([^>]*)>([^<]*)")
_REL_NEXT = re.compile(r""";\s*rel\s*=\s*("[^"]*\bnext\b[^"]*"|next\b)""", re.IGNORECASE)
_WHOLE = re.compile(r"-?[0-9]{1,19}")


class ListingUnreadable(Exception):
    """The list is not what the contract says, or leads in a circle: nobody can say what survived."""


def list_records(endpoint: Endpoint, listing: Listing, region: str, t0_ns: int) -> Iterator[Survivor]:
    """Every record of the list by key and content, dated before the first look at it.

    A record whose key is no number is none of the drill's. Raises where the list cannot be read to its end.
    """
    at_ns = time.monotonic_ns() - t0_ns
    seen: Counter[tuple[int, int | None]] = Counter()
    others = 0
    with Client(endpoint, PAGE_LIMIT) as client:
        for item in itertools.chain.from_iterable(_pages(client, listing)):
            key = _number(find(item, listing.key))
            if key is None:
                others += 1
            else:
                seen[key, _content(item, key, listing)] += 1
    if others and not seen:
        raise ListingUnreadable(
            f"none of the {others} records in {listing.path} has a number at {listing.key}: look at survivors.listing.key"
        )
    for (key, content), copies in seen.items():
        yield Survivor(STORE, key, copies, at_ns, region, content)


def _pages(client: Client, listing: Listing) -> Iterator[list[Any]]:
    way, url = listing.next, client.url_of(listing.path)
    counted = way.first if way else 0
    if way is not None and way.parameter is not None:
        url = _with(url, way.parameter, counted)
    asked: set[str] = set()
    before: list[Any] = []
    ends_s = time.monotonic() + WHOLE_LIMIT_S
    while True:
        if time.monotonic() > ends_s:
            raise ListingUnreadable(
                f"the list {listing.path} did not end within {WHOLE_LIMIT_S:g} s, {len(asked)} pages"
            )
        if url in asked:
            raise ListingUnreadable(f"the list {listing.path} leads back to a page that was read already: {url}")
        asked.add(url)
        answer, headers = client.exchange(listing, url)
        items = find(answer, listing.items)
        if not isinstance(items, list):
            raise ListingUnreadable(
                f"{listing.path} shows no array at {listing.items or 'its root'}: look at survivors.listing.items"
            )
        if items and items == before:
            raise ListingUnreadable(
                f"the list {listing.path} shows the same page again and again: look at survivors.listing.next"
            )
        before = items
        yield items
        if way is None:
            return
        if way.parameter is not None:
            if not items:
                return
            counted += way.step
            url = _with(url, way.parameter, counted)
            continue
        following = _following(way, answer, headers)
        if following is None:
            return
        url = client.url_of(urljoin(url, following))


def _following(way: Next, answer: Any, headers: Mapping[str, str]) -> str | None:
    """Where the page says that the next one is; None on the last."""
    if way.header is not None:
        return headers.get(way.header) or None
    if way.pointer is not None:
        found = find(answer, way.pointer)
        if not isinstance(found, str | None):
            raise ListingUnreadable(f"{way.pointer} is no address of a next page: look at survivors.listing.next")
        return found or None
    linked = _LINK.finditer(headers.get("link", ""))
    return next((link[1] for link in linked if _REL_NEXT.search(link[2])), None)


def _with(url: str, parameter: str, value: int) -> str:
    parts = urlsplit(url)
    query = [(n, v) for n, v in parse_qsl(parts.query, keep_blank_values=True) if n != parameter]
    return parts._replace(query=urlencode([*query, (parameter, value)])).geturl()


def _content(item: Any, key: int, listing: Listing) -> int | None:
    """The checksum of the record's content; of what stands there instead where it is no number, which no write has."""
    if listing.content is None:
        return None
    found = find(item, listing.content)
    number = _number(found)
    return checksum(repr(found).encode()) if number is None else of_order(key, number)


def _number(value: Any) -> int | None:
    """A number, or the digits of one in an application whose keys are text."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        return None
    return value
