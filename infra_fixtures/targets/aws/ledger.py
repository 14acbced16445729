"""The ledger: what a run makes in the account, on disk before it is asked for and again once it is there.

One JSON object a line, each fsynced. It sits in botocore's events after the guard: what that refuses is no line. Whoever takes
the system away, in whatever process, reads here the ids that AWS made up, and the guard knows by it what is the run's own.
"""

from __future__ import annotations

import datetime as dt
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from infra_fixtures.global_services import GLOBAL, GLOBAL_SERVICES
from infra_fixtures.targets.aws.kinds import BY_OPERATION

ASKED, MADE, REFUSED = "asked", "made", "refused"
_NOTE = "drill_ledger"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One state of one making. `number` joins its lines; `name` is "" until AWS has made it up; region GLOBAL for a service
    that has none. `asked` without a later line: nobody knows what came of it."""

    number: str
    what: str
    at: str
    service: str
    operation: str
    region: str
    name: str = ""


class Ledger:
    """The ledger at `path`; threads may share it, and several processes one file. `tell` hears of every line as it is written."""

    def __init__(self, path: Path, tell: Callable[[Line], None] = lambda line: None) -> None:
        self.path = path
        self._tell = tell
        self._writing = threading.Lock()
        self._count = 0
        self._begun = f"{os.getpid()}-{os.urandom(3).hex()}"
        self._names = {word for line in read(path) for word in _words(line.name)}

    def __contains__(self, name: object) -> bool:
        """Whether the run made what is called so, in the names that EC2, API Gateway, Route 53 and KMS make up too."""
        return isinstance(name, str) and (name in self._names or name.rpartition("/")[2] in self._names)

    def watch(self, client: Any) -> None:
        """Write down what a boto3 client makes."""
        events = client.meta.events
        for event, handler in (
            ("before-parameter-build", self._asked),
            ("after-call", self._answered),
        ):
            events.register_last(event, handler, unique_id=f"ledger-{id(self)}-{event}")

    def _asked(self, *, params: Mapping[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        service = model.service_model.service_name
        kind = BY_OPERATION.get((service, model.name))
        if kind is None:
            return
        region = GLOBAL if service in GLOBAL_SERVICES else str(context.get("client_region"))
        with self._writing:
            self._count += 1
            number = f"{self._begun}-{self._count}"
        line = Line(
            number=number, what=ASKED, at=_now(), service=service, operation=model.name, region=region,
            name=kind.name_of(params, {}),
        )  # fmt: skip
        self._write(line)
        context[_NOTE] = (line, params)

    def _answered(self, *, http_response: Any, parsed: Mapping[str, Any], context: Mapping[str, Any], **_: Any) -> None:
        if _NOTE not in context:
            return
        line, params = context[_NOTE]
        made = http_response.status_code < 300
        name = BY_OPERATION[line.service, line.operation].name_of(params, parsed) if made else line.name
        self._write(msgspec.structs.replace(line, what=MADE if made else REFUSED, at=_now(), name=name))

    def _write(self, line: Line) -> None:
        """One write in append mode, on disk before this returns."""
        with self._writing:
            self._names |= _words(line.name)
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(
                self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
            try:
                os.write(descriptor, msgspec.json.encode(line) + b"\n")
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._tell(line)


def read(path: Path) -> list[Line]:
    """The last line of each making, in the order in which they were asked for; none where there is no ledger."""
    found: dict[str, Line] = {}
    for line in _lines(path):
        found[line.number] = line
    return list(found.values())


def _lines(path: Path) -> Iterator[Line]:
    if not path.exists():
        return
    for text in path.read_bytes().splitlines():
        try:
            yield msgspec.json.decode(text, type=Line)
        except msgspec.DecodeError:
            continue  # torn by a crash: what it was about to ask for had not been asked for


def _words(name: str) -> set[str]:
    """A name, and the bare id at its end: Route 53 takes both."""
    return {name, name.rpartition("/")[2]} - {""}


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
