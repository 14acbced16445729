"""k6: `--out json=FILE` and `--out csv=FILE`, of which each line is one sample of one metric.

The samples of a request follow each other, with the time at which the request *ended*
(https://grafana.com/docs/k6/latest/results-output/real-time/json/). It began `http_req_duration` before that, and earlier by
the time for which it waited for a connection (lib/netext/httpext/tracer.go: blocked spans connecting and the TLS handshake).

Where no connection came about, k6 measures nothing and writes a duration of 0: a request that hung for a minute looks as if it
had begun when it ended. Such a request is believed only where its error says how long it took (REFUSED at once, DIAL_TIMEOUT
after DIAL_S), or where the script's own time-out is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from drill.imports.imported import Imported, Options
from drill.imports.instant import Instant
from drill.imports.outcome import kind_of
from drill.imports.source import lines_of, refuse_line, rows_of
from drill.records import NS
from drill.unusable import UnusableInput

TIMED_OUT, DIAL_TIMEOUT = 1050, 1211
"""https://grafana.com/docs/k6/latest/javascript-api/error-codes/"""
DIAL_S = 30.0
"""k6's dialer gives up after so long (js/runner.go), unless the request's own time-out is shorter."""
REQUEST = "http_req_duration"
BLOCKED, SENDING = "http_req_blocked", "http_req_sending"
PARTS = (BLOCKED, "http_req_connecting", "http_req_tls_handshaking", SENDING)
WANTED = (*PARTS, REQUEST, "dropped_iterations", "vus")


class _Tags(msgspec.Struct, frozen=True):
    status: str = ""
    method: str = ""
    name: str = ""
    url: str = ""
    scenario: str = ""
    error: str = ""
    error_code: str = ""
    expected_response: str = ""


class _Data(msgspec.Struct, frozen=True, gc=False):
    time: str
    value: float
    tags: _Tags | None = None


class _Point(msgspec.Struct, frozen=True, gc=False):
    metric: str
    data: _Data


class _PartData(msgspec.Struct, frozen=True, gc=False):
    time: str
    value: float


class _Part(msgspec.Struct, frozen=True, gc=False):
    metric: str
    data: _PartData


class _Sample(msgspec.Struct, gc=False):
    """One line that counts, of either format; a part of a request has no tags of its own."""

    line: int
    metric: str
    time: str
    value: float
    tags: _Tags


@dataclass(slots=True)
class _Request:
    """A request whose samples are being read."""

    first: _Sample
    blocked_ms: float = 0.0
    connecting_ms: float = 0.0
    sending_ms: float = 0.0

    @property
    def took_ms(self) -> float:
        """From its beginning. A request that began to connect and was then given a connection that came free was sent "since" it
        began to wait: what it was blocked is in what sending took."""
        if not self.connecting_ms and self.sending_ms >= self.blocked_ms:
            return self.first.value
        return self.first.value + max(self.blocked_ms, self.connecting_ms)


def read_json(path: Path, options: Options) -> Imported:
    """Read `--out json`; raises UnusableInput, naming the line."""
    return _collect(path, options, _points(path), nanoseconds=True)


def read_csv(path: Path, options: Options) -> Imported:
    """Read `--out csv`; raises UnusableInput, naming the line."""
    return _collect(path, options, _rows(path), nanoseconds=False)


def _points(path: Path) -> Iterator[_Sample]:
    whole, part = msgspec.json.Decoder(_Point), msgspec.json.Decoder(_Part)
    wanted, parts = (tuple(f'"metric":"{name}"'.encode() for name in names) for names in (WANTED, PARTS))
    nothing = _Tags()
    for number, line in lines_of(path):
        if not (line.startswith(b'{"metric":') and line.endswith(b"}")):
            if not line.startswith(b'{"type":"Metric"'):
                refuse_line(path, number, "is no line of k6's JSON output")
            continue
        if not line.startswith(wanted, 1):
            continue
        try:
            if line.startswith(parts, 1):
                value = part.decode(line)
                yield _Sample(number, value.metric, value.data.time, value.data.value, nothing)
                continue
            point = whole.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as e:
            refuse_line(path, number, f"is no sample of k6 ({e})")
        yield _Sample(number, point.metric, point.data.time, point.data.value, point.data.tags or nothing)


def _rows(path: Path) -> Iterator[_Sample]:
    rows = rows_of(path)
    _, header = next(rows, (0, []))
    needed = ("metric_name", "timestamp", "metric_value")
    if any(name not in header for name in needed):
        raise UnusableInput(f"{path} line 1 is not the header that k6 writes: give the file of --out csv")
    at = {name: header.index(name) for name in (*needed, *_Tags.__struct_fields__) if name in header}
    tagged = [(name, at[name]) for name in _Tags.__struct_fields__ if name in at]
    for number, row in rows:
        if len(row) != len(header):
            refuse_line(path, number, f"has {len(row)} fields, not {len(header)}")
        if row[at["metric_name"]] not in WANTED:
            continue
        try:
            value = float(row[at["metric_value"]])
        except ValueError:
            value = -1.0
        if not 0 <= value < 1e12:
            refuse_line(path, number, "has a value that is none")
        tags = _Tags(**{name: row[place] for name, place in tagged})
        yield _Sample(number, row[at["metric_name"]], row[at["timestamp"]], value, tags)


def _collect(path: Path, options: Options, samples: Iterator[_Sample], *, nanoseconds: bool) -> Imported:
    """`nanoseconds`: times are so exact, though zeros at their end are left out."""
    found = Imported("k6", path, options, timed_at="ended_ns")
    request: _Request | None = None
    unmeasured = 0
    for sample in samples:
        if sample.metric == REQUEST:
            if request is not None:
                unmeasured += _add(found, request, nanoseconds)
            request = _Request(sample)
        elif sample.metric in PARTS:
            if request is None or sample.time != request.first.time:
                refuse_line(path, sample.line, f"has {sample.metric} of no request: lines are missing before it")
            if sample.metric == BLOCKED:
                request.blocked_ms = sample.value
            elif sample.metric == SENDING:
                request.sending_ms = sample.value
            else:
                request.connecting_ms += sample.value
        elif sample.metric == "dropped_iterations" and sample.value >= 1:
            found.dropped(sample.tags.scenario or "default", _at(path, sample).ns, int(sample.value))
        elif sample.metric == "vus":
            found.active.append((_at(path, sample).ns, int(sample.value)))
    if request is not None:
        unmeasured += _add(found, request, nanoseconds)
    if unmeasured:
        raise UnusableInput(
            f"{path}: {unmeasured} requests timed out before they had a connection, for which k6 writes a duration of 0: "
            "say how long they hung with --timeout SECONDS, the time-out of the script's requests (k6's own is 60)"
        )
    return found


def _add(found: Imported, request: _Request, nanoseconds: bool) -> int:
    """Add it; 1 where nobody knows when it began."""
    sample, tags = request.first, request.first.tags
    took_ms = request.took_ms
    code = int(tags.error_code) if tags.error_code.isdecimal() else 0
    if took_ms == 0 and code in (TIMED_OUT, DIAL_TIMEOUT):
        said_s = found.options.timeout_s
        limit_s = said_s if code == TIMED_OUT else min(DIAL_S, said_s or DIAL_S)
        if limit_s is None:
            return 1
        took_ms = limit_s * 1e3
    at = _at(found.path, sample)
    if not nanoseconds:
        found.resolution_ns = max(found.resolution_ns, at.exact_ns)
    status = int(tags.status) if tags.status.isdecimal() and len(tags.status) < 4 else 0
    ok = tags.expected_response == "true" if tags.expected_response else 200 <= status < 400
    wrong = found.add(
        kind_of(tags.method),
        tags.name or tags.url,
        tags.scenario or "default",
        at.ns - round(took_ms * NS / 1000),
        at.ns,
        ok=ok and not tags.error,
        status=status,
        error=tags.error,
    )
    if wrong:
        refuse_line(found.path, sample.line, wrong)
    return 0


def _at(path: Path, sample: _Sample) -> Instant:
    found = Instant.read(sample.time)
    if found is None:
        refuse_line(path, sample.line, f"has the time {sample.time[:40]!r}, which is none")
    return found


def is_csv(header: Sequence[str]) -> bool:
    """Whether a CSV file of that header is k6's."""
    return tuple(header[:3]) == ("metric_name", "timestamp", "metric_value")
