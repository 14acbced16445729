"""What a drill must know of an application: how to write, read and list records over HTTP, and what its answers mean.

It is data, read from a TOML file (`contract_file`, docs/workload.md), so an application that nobody here wrote is driven
and judged without code. Locust's processes read this module, and it imports nothing heavy; probes read it too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from drill.unusable import UnusableInput
from traffic.template import placeholders

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
        """The secret headers with their values; raises UnusableInput where a variable is not set, or no header."""
        missing = sorted(v for v in self.secret_headers.values() if not environment.get(v))
        if missing:
            raise UnusableInput(f"{self.name}: set {', '.join(missing)}, which secret_headers of the workload name")
        found = {header: environment[variable] for header, variable in self.secret_headers.items()}
        for header, variable in self.secret_headers.items():
            if not found[header].isascii() or not found[header].isprintable() or found[header] != found[header].strip():
                raise UnusableInput(
                    f"{self.name}: the value of {variable} cannot be sent as {header}: it holds a line break, another control "
                    "character, a character beyond ASCII, or a blank at an end"
                )
        return found
