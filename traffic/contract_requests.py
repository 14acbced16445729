"""What is wrong with the requests of an application's contract: paths, methods, headers, statuses, placeholders.

HTTP's own words: a header's name and value (RFC 9110, 5.1 and 5.5), methods that change nothing (9.2.1), a path and its
query (RFC 3986, 3.3 and 3.4).
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from traffic.contract import Contract, Request
from traffic.template import placeholders

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?")
_PATH = re.compile(r"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*")
_PLACEHOLDER = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FRAMING = frozenset({"connection", "content-length", "transfer-encoding"})
"""What says where a message ends is the HTTP client's own matter."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "CONNECT"})
"""Methods that store nothing, or are no request for a resource."""
SHOWING = frozenset({"GET", "POST", "QUERY", "REPORT", "SEARCH"})
"""Methods whose answer may show something."""
SUCCESS = range(200, 400)


def of_requests(found: Contract) -> Iterator[str]:
    """A sentence for each mistake; each begins with its table and key."""
    for name, request, known, stores in _requests(found):
        yield from _of_path(f"{name}.path", request.path)
        yield from _of_placeholders(name, request, known)
        yield from of_headers(f"{name}.headers", request.headers)
        if said := _infinite(request.body):
            yield f"{name}.body: {said} is no JSON: give a finite number"
        if stores and request.method in SAFE:
            yield f"{name}.method: {request.method} stores nothing: give the one that does, such as POST or PUT"
        if not stores and request.method not in SHOWING:
            yield f"{name}.method: {request.method} shows nothing, or changes something: give GET, or POST for a query"
        for status in request.expect:
            if status not in SUCCESS:
                yield f"{name}.expect: {status} is no status of success: give statuses from 200 to 399"
    if found.health is not None:
        yield from _of_path("health.path", found.health.path)
        if placed := list(placeholders(found.health.path)):
            yield f"health.path asks for {{{placed[0]}}}, which is no placeholder there: known are none"
        if min(found.health.expect) < SUCCESS.start:
            yield f"health.expect: {min(found.health.expect)} is no final answer: give statuses from 200"


def of_headers(where: str, headers: Mapping[str, str], *, secret: bool = False) -> Iterator[str]:
    """The same of a table of headers; the values of `secret` ones are names of environment variables."""
    seen: set[str] = set()
    for name, value in headers.items():
        if not TOKEN.fullmatch(name):
            yield f"{where}: {name!r} is no header's name: write letters, digits and - alone"
        elif name.lower() in FRAMING:
            yield f"{where}.{name}: the HTTP client says that itself: leave it out"
        elif name.lower() in seen:
            yield f"{where}.{name} is there twice, in capitals and small letters: give one of them"
        elif secret and not _VARIABLE.fullmatch(value):
            yield f"{where}.{name}: {value!r} is no environment variable's name: write letters, digits and _ alone"
        elif said := value_mistake(value):
            yield f"{where}.{name}: {said}"
        elif not secret and _PLACEHOLDER.search(value):
            yield f"{where}.{name}: headers have no placeholders, {value!r} would be sent as it is: put it in path or body"
        seen.add(name.lower())


def value_mistake(value: str) -> str:
    """What is wrong with a header's value; "" where nothing is."""
    if _VALUE.fullmatch(value):
        return ""
    return "its value holds a line break, another control character, a character beyond Latin-1, or a blank at an end"


def _requests(found: Contract) -> Iterator[tuple[str, Request, Collection[str], bool]]:
    """Each request with the name of its table, the placeholders that it may have, and whether it stores something."""
    yield "write", found.write, {"key", "content", "receipt"}, True
    yield "read", found.read, {"key"}, False
    if found.beat is not None:
        yield "beat.write", found.beat.write, {"seq"}, True
        yield "beat.read", found.beat.read, (), False
    if found.survivors.listing is not None:
        yield "survivors.listing", found.survivors.listing, (), False


def _of_path(where: str, path: str) -> Iterator[str]:
    if not path.startswith("/"):
        yield f"{where} {path!r} is no path: begin it with /"
    elif " " in path or "#" in path:
        yield f"{where} {path!r} holds a space or #: escape it (%20, %23)"
    elif not _PATH.fullmatch(_PLACEHOLDER.sub("", path)):
        yield f"{where} {path!r} holds a character that no URL has, or a lone %: escape it (such as %7B for a brace)"


def _of_placeholders(name: str, request: Request, known: Collection[str]) -> Iterator[str]:
    for asked in placeholders([request.path, request.body]):
        if asked not in known:
            listed = ", ".join(f"{{{n}}}" for n in sorted(known)) or "none"
            yield f"{name} asks for {{{asked}}}, which is no placeholder there: known are {listed}"


def _infinite(value: Any) -> str:
    """The first number in a body that JSON cannot say; "" where there is none."""
    if isinstance(value, float):
        return "" if math.isfinite(value) else str(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((said for said in map(_infinite, inner) if said), "")
