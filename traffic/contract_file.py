"""Reads an application's contract from its TOML file, and says what is wrong there in one sentence.

The order API is described in the same terms as any other application (order_api.toml).
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl

import msgspec

from drill.plain_file import read_bytes
from drill.unusable import UnusableInput
from traffic import pointer
from traffic.contract import Contract, Next
from traffic.contract_requests import TOKEN, of_headers, of_requests
from traffic.template import placeholders

ORDER_API = Path(__file__).with_name("order_api.toml")
MOST_BYTES = 2**20
_PARAMETER = re.compile(r"[A-Za-z0-9._\-\[\]]+")


def read_contract(path: Path) -> Contract:
    """The application that a TOML file describes; raises UnusableInput with the first mistake and how to mend it."""
    content = read_bytes(path, MOST_BYTES)
    if content is None:
        raise UnusableInput(f"the workload {path} cannot be read (it is not there): name a TOML file")
    try:
        tables = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as e:  # also bytes that are no UTF-8
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
    yield from of_requests(found)
    for where, text in _pointers(found):
        if said := pointer.mistake(text):
            yield f"{where}: {said}"
    yield from of_headers("headers", found.headers)
    yield from of_headers("secret_headers", found.secret_headers, secret=True)
    if both := sorted({h.lower() for h in found.headers} & {h.lower() for h in found.secret_headers}):
        yield f"secret_headers.{both[0]} stands in headers too: give one of them"
    if not TOKEN.fullmatch(found.region_header):
        yield f"region_header: {found.region_header!r} is no header's name: write letters, digits and - alone"
    for key in ("name", "region"):
        text = getattr(found, key)
        if text is not None and not (text.strip() and text.isprintable()):
            yield f"{key}: {text!r} names nothing: give printable text"
    if found.region is not None and (found.write.answer.region or found.read.answer.region):
        yield "region names the only place of the application, but an answer says which one: give only one of them"
    yield from _of_records(found)
    yield from _of_receipts(found)
    if found.survivors.listing is not None and found.survivors.listing.next is not None:
        yield from _of_next(found.survivors.listing.path, found.survivors.listing.next)
    if found.beat is not None and "seq" not in set(placeholders([found.beat.write.path, found.beat.write.body])):
        yield "beat.write sends no {seq}: put it in its path or its body, or no heartbeat can be told from another"


def _of_records(found: Contract) -> Iterator[str]:
    """How records are written, told apart, read, and read back."""
    write, asked = found.write, set(placeholders([found.write.path, found.write.body]))
    if "key" not in asked:
        yield "write sends no {key}: put it in its path or its body, or what was stored cannot be told apart"
    if "key" not in set(placeholders([found.read.path, found.read.body])):
        yield "read asks for no {key}: put it in its path or its body"
    listing, rows = found.survivors.listing, found.survivors.rows
    if (listing is None) == (rows is None):
        yield "survivors needs either a table listing or a table rows: where the records are read back"
    if rows is not None and not rows.sql.strip():
        yield "survivors.rows.sql is empty: give a query whose columns are key, content and how many such rows"
    shown = [("write.answer", write.answer.content), ("read.answer", found.read.answer.content)]
    shown.append(("survivors.listing", listing.content if listing else None))
    for where, said in shown:
        if said is not None and "content" not in asked:
            yield f"{where}.content points to a content, but write sends none: put {{content}} in its body"
    for name, good, key, bad in (
        ("write", write.expect, "not_done", write.not_done),
        ("read", found.read.expect, "missing", found.read.missing),
    ):
        if both := sorted(set(good) & set(bad)):
            yield f"{name}: status {both[0]} is in expect and in {key}: it can mean only one of them"


def _of_receipts(found: Contract) -> Iterator[str]:
    asked = "receipt" in set(placeholders([found.write.path, found.write.body]))
    if asked != found.has_receipts:
        yield "write asks for {receipt} and write.answer.receipt points to its success: give both, or neither"
    if found.has_receipts and found.survivors.objects is None:
        yield "a write asks for receipts, but survivors.objects does not say where they are read back"
    if found.survivors.objects is not None and not asked:
        yield "survivors.objects says where receipts are read back, but write asks for no {receipt}: give both, or neither"
    for key in ("done", "receipt"):
        if getattr(found.read.answer, key) is not None:
            yield f"read.answer.{key} is said of a write alone: leave it out"


def _of_next(path: str, way: Next) -> Iterator[str]:
    """How a page leads to the next."""
    where = "survivors.listing.next"
    if sum([way.pointer is not None, way.header is not None, way.link, way.parameter is not None]) != 1:
        yield f"{where}: give exactly one of pointer, header, link = true, parameter"
    if way.pointer == "":
        yield f"{where}.pointer is empty: point to the next page's URL within the answer"
    if way.header is not None and not TOKEN.fullmatch(way.header):
        yield f"{where}.header: {way.header!r} is no header's name: write letters, digits and - alone"
    if way.parameter is None:
        if (way.first, way.step) != (Next().first, Next().step):
            yield f"{where}: first and step belong to a parameter: give its name, or leave them out"
    elif not _PARAMETER.fullmatch(way.parameter):
        yield f"{where}.parameter: {way.parameter!r} is no parameter's name: write letters, digits and . _ - [ ] alone"
    elif way.parameter in dict(parse_qsl(path.partition("?")[2], keep_blank_values=True)):
        yield f"{where}.parameter: {way.parameter} stands in survivors.listing.path too: take it out there"


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
