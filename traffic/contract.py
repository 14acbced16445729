"""What a drill must know of an application: how to write, read and list records over HTTP, and what its answers mean.

It is data, read from a TOML file (docs/workload.md), so an application that nobody here wrote is driven and judged without
code. The order API is described in the same terms (order_api.toml). Locust's processes read this module, and it imports
nothing heavy; probes read it too.
"""

from __future__ import annotations

import functools
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from drill.unusable import UnusableInput
from traffic import pointer
from traffic.template import placeholders

ORDER_API = Path(__file__).with_name("order_api.toml")
NOT_DONE = (400, 401, 403, 404, 405, 413, 415, 429)
"""Statuses by which a gateway or a service turns a request away unprocessed: authentication, throttle, bad form."""

Status = Annotated[int, msgspec.Meta(ge=100, le=599)]
Statuses = Annotated[tuple[Status, ...], msgspec.Meta(min_length=1)]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file; a name that is not one of its own is a mistake."""


class AnswerPointers(_Table, frozen=True):
    """JSON pointers into an answer; None: it does not say so.

    `key`, `content`: of the record that it shows. `region`: which one served it. `error`: a short class of failure.
    `done`: true where the write is stored, false where it surely is not. `receipt`: true where the receipt is stored.
    """

    key: str | None = None
    content: str | None = None
    region: str | None = None
    error: str | None = None
    done: str | None = None
    receipt: str | None = None


class Request(_Table, frozen=True):
    """An HTTP request; `expect` are the statuses of success."""

    path: str
    method: Annotated[str, msgspec.Meta(pattern="^[A-Z]+$")] = "GET"
    headers: dict[str, str] = {}
    body: Any = None
    expect: Statuses = (200,)


class Write(Request, frozen=True):
    """Stores the record {key} with {content}; `not_done` are the statuses that say: surely not stored.

    {receipt} is true for the writes that ask for a receipt, a second thing to be stored.
    """

    method: Annotated[str, msgspec.Meta(pattern="^[A-Z]+$")] = "POST"
    expect: Statuses = (200, 201)
    not_done: tuple[Status, ...] = NOT_DONE
    answer: AnswerPointers = AnswerPointers()


class Read(Request, frozen=True):
    """Shows the record {key}; `missing` are the statuses that say: there is none."""

    missing: tuple[Status, ...] = (404,)
    answer: AnswerPointers = AnswerPointers()


class BeatRead(Request, frozen=True):
    """Shows the last heartbeat; pointers to its number and to the lag, in seconds, that the engine itself claims."""

    seq: str = "/seq"
    engine_lag_s: str | None = None


class Heartbeat(_Table, frozen=True):
    """Heartbeats: `write` stores the number {seq} in the primary, `read` shows the last one that a region has; one is
    written every `every_s` seconds."""

    write: Request
    read: BeatRead
    every_s: Annotated[float, msgspec.Meta(ge=0.01, le=60)] = 0.1


class Next(_Table, frozen=True):
    """How a page of a list leads to the next: exactly one of a pointer to its URL, a header that holds it, a Link header
    (RFC 8288, rel="next"), or a query parameter that counts from `first` by `step` until a page is empty."""

    pointer: str | None = None
    header: str | None = None
    link: bool = False
    parameter: str | None = None
    first: int = 1
    step: Annotated[int, msgspec.Meta(ge=1)] = 1


class Listing(Request, frozen=True):
    """A list of all records by HTTP: `items` points to the array, `key` and `content` into each of its elements."""

    items: str = ""
    key: str = "/key"
    content: str | None = None
    next: Next | None = None


class Rows(_Table, frozen=True):
    """A query of the region's database past the application; its columns are key, content and how many such rows."""

    sql: str


class Objects(_Table, frozen=True):
    """The receipts in the region's bucket: each a JSON object named `prefix` and its key."""

    prefix: str
    key: str = "/key"
    content: str = "/content"


class Survivors(_Table, frozen=True):
    """Where what survived is read: `rows` or `listing` for the records, `objects` for the receipts."""

    rows: Rows | None = None
    listing: Listing | None = None
    objects: Objects | None = None


class Health(_Table, frozen=True):
    """A page that answers GET with one of `expect` where the application can serve."""

    path: str
    expect: Statuses = (200,)


class Contract(_Table, frozen=True):
    """One application. `headers` go with every request; so do `secret_headers`, whose values are names of environment
    variables. `region_header` says which region answered; `region` names the only place of an application that has one and
    whose answers do not say."""

    name: str
    write: Write
    read: Read
    survivors: Survivors
    health: Health | None = None
    beat: Heartbeat | None = None
    headers: dict[str, str] = {}
    secret_headers: dict[str, str] = {}
    region_header: str = "x-region"
    region: str | None = None

    @property
    def has_content(self) -> bool:
        """Whether a write carries a content that can be compared with what survived."""
        return "content" in placeholders([self.write.path, self.write.body])

    @property
    def has_receipts(self) -> bool:
        """Whether a write may ask for a receipt."""
        return self.write.answer.receipt is not None

    def secrets(self, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The secret headers with their values; raises UnusableInput where a variable is not set."""
        missing = sorted(v for v in self.secret_headers.values() if not environment.get(v))
        if missing:
            raise UnusableInput(f"{self.name}: set {', '.join(missing)}, which secret_headers of the workload name")
        return {header: environment[variable] for header, variable in self.secret_headers.items()}


def read_contract(path: Path) -> Contract:
    """The application that a TOML file describes; raises UnusableInput with the first mistake and how to mend it."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise UnusableInput(f"the workload {path} cannot be read ({e.strerror}): name a TOML file") from e
    except ValueError as e:  # also bytes that are no UTF-8
        raise UnusableInput(f"the workload {path} is no TOML file: {e}") from e
    try:
        found = msgspec.convert(tables, Contract)
    except msgspec.ValidationError as e:
        raise UnusableInput(f"{path}: {_placed(str(e))}") from e
    for said in _mistakes(found):
        raise UnusableInput(f"{path}: {said}")
    return found


@functools.cache
def order_api() -> Contract:
    """This project's own application."""
    return read_contract(ORDER_API)


def _placed(sentence: str) -> str:
    """msgspec's words, with the table first: write.expect: Expected `array`, got `str`."""
    what, _, where = sentence.partition(" - at `$")
    return f"{where.strip('.`')}: {what}" if where else what


def _mistakes(found: Contract) -> Iterator[str]:
    """What the types do not say."""
    for name, request, allowed in _requests(found):
        yield from _of_request(name, request, allowed)
    for where, text in _pointers(found):
        if said := pointer.mistake(text):
            yield f"{where}: {said}"
    yield from _of_headers("", found.headers)
    if found.region is not None and (found.write.answer.region or found.read.answer.region):
        yield "region names the only place of the application, but an answer says which one: give only one of them"
    write, asked = found.write, set(placeholders([found.write.path, found.write.body]))
    if "key" not in asked:
        yield "write sends no {key}: put it in its path or its body, or what was stored cannot be told apart"
    if "key" not in set(placeholders([found.read.path, found.read.body])):
        yield "read asks for no {key}: put it in its path or its body"
    listing, rows = found.survivors.listing, found.survivors.rows
    if (listing is None) == (rows is None):
        yield "survivors needs either a table listing or a table rows: where the records are read back"
    shown = [("write.answer", write.answer.content), ("read.answer", found.read.answer.content)]
    shown.append(("survivors.listing", listing.content if listing else None))
    for where, said in shown:
        if said is not None and "content" not in asked:
            yield f"{where}.content points to a content, but write sends none: put {{content}} in its body"
    if both := sorted(set(write.expect) & set(write.not_done)):
        yield f"write: status {both[0]} is in expect and in not_done: it can mean only one of them"
    if ("receipt" in asked) != found.has_receipts:
        yield "write asks for {receipt} and write.answer.receipt points to its success: give both, or neither"
    if found.has_receipts and found.survivors.objects is None:
        yield "a write asks for receipts, but survivors.objects does not say where they are read back"
    if listing is not None and listing.next is not None:
        ways = [listing.next.pointer is not None, listing.next.header is not None, listing.next.link]
        if sum([*ways, listing.next.parameter is not None]) != 1:
            yield "survivors.listing.next: give exactly one of pointer, header, link = true, parameter"


def _requests(found: Contract) -> Iterator[tuple[str, Request, frozenset[str]]]:
    yield "write", found.write, frozenset({"key", "content", "receipt"})
    yield "read", found.read, frozenset({"key"})
    if found.beat is not None:
        yield "beat.write", found.beat.write, frozenset({"seq"})
        yield "beat.read", found.beat.read, frozenset()
    if found.health is not None:
        yield "health", Request(found.health.path), frozenset()
    if found.survivors.listing is not None:
        yield "survivors.listing", found.survivors.listing, frozenset()


def _of_request(name: str, request: Request, allowed: frozenset[str]) -> Iterator[str]:
    if not request.path.startswith("/") or not request.path.isascii() or not request.path.isprintable():
        yield f"{name}.path {request.path!r} is no path: begin it with / and escape what is not plain ASCII"
    elif " " in request.path or "#" in request.path:
        yield f"{name}.path {request.path!r} holds a space or #: escape it (%20, %23)"
    for asked in placeholders([request.path, request.body]):
        if asked not in allowed:
            known = ", ".join(f"{{{n}}}" for n in sorted(allowed)) or "none"
            yield f"{name} asks for {{{asked}}}, which is no placeholder there: known are {known}"
    yield from _of_headers(f"{name}.", request.headers)


def _of_headers(where: str, headers: Mapping[str, str]) -> Iterator[str]:
    for name, value in headers.items():
        if not name.strip() or any(c in name + value for c in "\r\n") or ":" in name:
            yield f"{where}headers: {name!r} is no header, or its value holds a line break"


def _pointers(found: Contract) -> Iterator[tuple[str, str]]:
    listing, objects = found.survivors.listing, found.survivors.objects
    tables: dict[str, msgspec.Struct | None] = {
        "write.answer": found.write.answer,
        "read.answer": found.read.answer,
        "survivors.objects": objects and msgspec.structs.replace(objects, prefix=""),
    }
    for where, table in tables.items():
        for name, text in (msgspec.structs.asdict(table) if table else {}).items():
            if isinstance(text, str):
                yield f"{where}.{name}", text
    if listing is not None:
        yield "survivors.listing.items", listing.items
        yield "survivors.listing.key", listing.key
        yield "survivors.listing.content", listing.content or ""
        yield "survivors.listing.next.pointer", (listing.next and listing.next.pointer) or ""
    if found.beat is not None:
        yield "beat.read.seq", found.beat.read.seq
        yield "beat.read.engine_lag_s", found.beat.read.engine_lag_s or ""
