"""Reads an application's contract from its TOML file, and says what is wrong there in one sentence.

The order API is described in the same terms as any other application (order_api.toml).
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from drill.unusable import UnusableInput
from traffic import pointer
from traffic.contract import Contract, Request
from traffic.template import placeholders

ORDER_API = Path(__file__).with_name("order_api.toml")


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
