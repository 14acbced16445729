"""What Locust and the harness say to each other over their socket, and what the spool file holds.

A frame is its length (4 bytes, big-endian) and a msgpack array whose first element names its kind. Ops travel as
columns, because that is how they are kept. Every `at_ns` is ns since
the run's t0 by the harness's clock, except in Ping and Pong, which are how a worker finds out about that clock.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from drill.records import Mark, Op, Sample, later

LENGTH = struct.Struct(">I")
LONGEST = 64 * 1024 * 1024
"""No frame comes near this; a longer length means that the bytes are not frames."""


class Started(msgspec.Struct, frozen=True, array_like=True, tag="started"):
    """The dispatcher of `worker` has sent its first request; `at_ns` since the run's t0."""

    worker: int
    pid: int
    at_ns: int


if TYPE_CHECKING:
    OpColumns: TypeAlias = Any
else:
    OpColumns = msgspec.defstruct(
        "OpColumns",
        [
            (f.encode_name, list[f.type] | None, None) if f.encode_name in later(Op) else (f.encode_name, list[f.type])
            for f in msgspec.structs.fields(Op)
        ],
        frozen=True,
        kw_only=True,
    )
"""Ops as columns, one value an op: the fields of drill.records.Op by name. None: the sender's harness has no such column."""


class Ops(msgspec.Struct, frozen=True, array_like=True, tag="ops"):
    """Finished ops, in the order in which they ended."""

    worker: int
    columns: OpColumns

    @classmethod
    def of(cls, worker: int, ops: Sequence[Op]) -> Ops:
        """At least one op, as columns."""
        columns = zip(*map(msgspec.structs.astuple, ops), strict=True)
        return cls(worker, OpColumns(**dict(zip(Op.__struct_fields__, map(list, columns), strict=True))))

    def column(self, name: str) -> list[Any]:
        """The values of one field of Op."""
        values: list[Any] | None = getattr(self.columns, name)
        return [None] * len(self.columns.op) if values is None else values


class Marked(msgspec.Struct, frozen=True, array_like=True, tag="mark"):
    """Something the client noticed."""

    mark: Mark


class Sampled(msgspec.Struct, frozen=True, array_like=True, tag="sample"):
    """A gauge read."""

    sample: Sample


class Finished(msgspec.Struct, frozen=True, array_like=True, tag="finished"):
    """The last frame of `worker`: how many ops it has recorded, and how many requests Locust's own counters show."""

    worker: int
    ops: int
    requests: int


class Stop(msgspec.Struct, frozen=True, array_like=True, tag="stop"):
    """From the harness: start nothing that is due at `until_ns` or later (None: nothing at all) and be done in `grace_s`.

    A common end is what keeps the union of several workers' shares free of gaps up to it.
    """

    grace_s: float
    until_ns: int | None = None


class Listening(msgspec.Struct, frozen=True, array_like=True, tag="listening"):
    """First word of Locust's master: where it waits for workers."""

    token: str
    pid: int
    port: int


class Hello(msgspec.Struct, frozen=True, array_like=True, tag="hello"):
    """First word of a worker: by what right it joins, and who it is."""

    token: str
    pid: int
    host: str


class Enlisted(msgspec.Struct, frozen=True, array_like=True, tag="enlisted"):
    """To a worker: it is number `worker` of `workers`, Locust's master is at `master_port`; `settings` are JSON."""

    worker: int
    workers: int
    master_port: int
    settings: str


class Refused(msgspec.Struct, frozen=True, array_like=True, tag="refused"):
    """To a worker that cannot join: why, and how to mend it."""

    why: str


class Ping(msgspec.Struct, frozen=True, array_like=True, tag="ping"):
    """A worker asks for the time; `sent_ns` by its own clock."""

    sent_ns: int


class Pong(msgspec.Struct, frozen=True, array_like=True, tag="pong"):
    """The harness's times of hearing the Ping and of answering it, ns since t0."""

    sent_ns: int
    received_ns: int
    answered_ns: int


class Ready(msgspec.Struct, frozen=True, array_like=True, tag="ready"):
    """A worker knows the time and could start."""

    worker: int


class Begin(msgspec.Struct, frozen=True, array_like=True, tag="begin"):
    """To every worker, once all are ready: the schedule starts at `at_ns`."""

    at_ns: int


Frame = (
    Started
    | Ops
    | Marked
    | Sampled
    | Finished
    | Stop
    | Listening
    | Hello
    | Enlisted
    | Refused
    | Ping
    | Pong
    | Ready
    | Begin
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


class NotFrames(ValueError):
    """These bytes are not what `encode` writes."""


def encode(frame: Frame) -> bytes:
    """A frame as it travels."""
    body = _encoder.encode(frame)
    return LENGTH.pack(len(body)) + body


def decode(body: bytes | memoryview) -> Frame:
    """A frame from the bytes after its length; raises NotFrames."""
    try:
        return _decoder.decode(body)
    except msgspec.MsgspecError as e:
        raise NotFrames(str(e)) from e


def split(buffer: bytearray) -> Iterator[bytes]:
    """Take every complete frame off the front of `buffer` (with its length); a partial one stays. Raises NotFrames."""
    start = 0
    try:
        while len(buffer) - start >= LENGTH.size:
            (length,) = LENGTH.unpack_from(buffer, start)
            if length > LONGEST:
                raise NotFrames(f"a frame of {length} bytes")
            end = start + LENGTH.size + length
            if end > len(buffer):
                break
            yield bytes(buffer[start:end])
            start = end
    finally:
        del buffer[:start]
