"""How much a Parquet file holds, by its own footer: read before its content, which may be far larger than the file.

The footer is a Thrift struct in the compact protocol
(https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md); the numbers of its fields are in
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift (FileMetaData, RowGroup, ColumnChunk).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, BinaryIO

MAGIC = b"PAR1"
TAIL = 8
MOST_BYTES = 16 * 2**20
"""A footer larger than this is not read; ours are a few KB."""

NUM_ROWS, ROW_GROUPS, COLUMNS, META_DATA, UNCOMPRESSED = 3, 4, 1, 3, 6
TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)

LONGEST_SHIFT = 63


class FooterError(Exception):
    """The file has no footer that can be read."""


@dataclass(frozen=True, slots=True)
class Footer:
    """What reading every column would take."""

    rows: int
    uncompressed_bytes: int


def read_footer(file: BinaryIO) -> Footer:
    """The footer of the open file; raises FooterError where it is none."""
    size = file.seek(0, io.SEEK_END)
    if size < TAIL + len(MAGIC):
        raise FooterError("it is too short")
    file.seek(size - TAIL)
    tail = file.read(TAIL)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != MAGIC or length > min(size - TAIL, MOST_BYTES):
        raise FooterError("it has no footer, or a damaged one")
    file.seek(size - TAIL - length)
    try:
        whole = _Compact(file.read(length)).struct()
        columns = [column[META_DATA] for group in whole[ROW_GROUPS] for column in group[COLUMNS]]
        return Footer(int(whole[NUM_ROWS]), sum(column[UNCOMPRESSED] for column in columns))
    except (LookupError, TypeError, ValueError, RecursionError, OverflowError) as e:
        raise FooterError("its footer is damaged") from e


class _Compact:
    """Reads values of the compact protocol one after the other."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def struct(self) -> dict[int, Any]:
        """The fields by their number."""
        found: dict[int, Any] = {}
        number = 0
        while (head := self._byte()) != 0:
            number = number + (head >> 4) if head >> 4 else self._signed()
            kind = head & 0x0F
            found[number] = kind == TRUE if kind in (TRUE, FALSE) else self._value(kind)
        return found

    def _value(self, kind: int) -> Any:
        if kind in (TRUE, FALSE, BYTE):
            return self._byte()
        if kind in (I16, I32, I64):
            return self._signed()
        if kind in (DOUBLE, BINARY):
            return self._skip(8 if kind == DOUBLE else self._unsigned())
        if kind in (LIST, SET):
            head = self._byte()
            size = head >> 4 if head >> 4 < 0x0F else self._unsigned()
            return [self._value(head & 0x0F) for _ in range(size)]
        if kind == MAP:
            size = self._unsigned()
            kinds = self._byte() if size else 0
            return [(self._value(kinds >> 4), self._value(kinds & 0x0F)) for _ in range(size)]
        if kind == STRUCT:
            return self.struct()
        raise ValueError(f"type {kind} is unknown")

    def _byte(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def _unsigned(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            if shift > LONGEST_SHIFT:
                raise ValueError("a number has more than 64 bits")
            value |= (byte & 0x7F) << shift
            shift += 7
        return value | byte << shift

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)

    def _skip(self, size: int) -> None:
        """Text and statistics say nothing of the size."""
        self._at += size
        if self._at > len(self._content):
            raise ValueError("a value is longer than the footer")
