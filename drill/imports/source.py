"""A tool's file as lines with their numbers: plain or gzip, bounded in memory, every defect one sentence that names the line."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NoReturn

from drill.plain_file import opened
from drill.unusable import UnusableInput

GZIP = b"\x1f\x8b"
LONGEST_LINE = 2**20
LONGEST_FIELD = 2**20
DAMAGED = (OSError, EOFError, zlib.error)
"""What reading a damaged gzip file raises."""


@contextmanager
def content_of(path: Path) -> Iterator[BinaryIO]:
    """The file's content, decompressed where it is gzip; raises UnusableInput where there is none."""
    with opened(path) as file:
        if file is None:
            raise UnusableInput(f"there is no file {path}: give the results that a load tool wrote")
        packed = file.read(len(GZIP)) == GZIP
        file.seek(0)
        if not packed:
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield unpacked  # type: ignore[misc]  # it reads as a BinaryIO does


def head_of(path: Path, most: int = 4096) -> bytes:
    """The first bytes of the content."""
    with content_of(path) as file:
        try:
            return file.read(most)
        except DAMAGED as e:
            refuse_damaged(path, e)


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Each line with its number, without its end; the last one too must have an end, else the tool was cut short."""
    with content_of(path) as file:
        buffered = io.BufferedReader(file, 2**18) if isinstance(file, gzip.GzipFile) else file
        number = 0
        while True:
            try:
                line = buffered.readline(LONGEST_LINE)
            except DAMAGED as e:
                refuse_damaged(path, e)
            if not line:
                return
            number += 1
            if not line.endswith(b"\n"):
                what = (
                    "has no end: the file was cut off" if len(line) < LONGEST_LINE else "is longer than any such line"
                )
                refuse_line(path, number, what)
            yield number, line.rstrip(b"\r\n")


def rows_of(path: Path, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Each record of a CSV file with the number of the line on which it ends."""
    csv.field_size_limit(LONGEST_FIELD)
    reached = 0

    def text() -> Iterator[str]:
        nonlocal reached
        for number, line in lines_of(path):
            reached = number
            yield line.decode("utf-8", "replace") + "\n"

    reader = csv.reader(text(), delimiter=delimiter, strict=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as e:
            refuse_line(path, reached, f"is not CSV ({e})")
        yield reached, row


def refuse_line(path: Path, number: int, what: str) -> NoReturn:
    """Raise the sentence for a line that cannot be used."""
    raise UnusableInput(f"{path} line {number} {what}: give the file as the tool wrote it, or take that line out")


def refuse_damaged(path: Path, error: Exception) -> NoReturn:
    """Raise the sentence for a file that cannot be unpacked or read."""
    raise UnusableInput(f"{path} cannot be unpacked ({error or type(error).__name__}): give the whole file") from error
