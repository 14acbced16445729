"""Files that a person points at, read so that nothing in their place can hang, exhaust or crash the reader.

A FIFO would block, a device never ends, a file may be larger than memory, JSON may nest deeper than any parser's stack.
Each of them is refused in one sentence; a file that is not there is None.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from drill.unusable import UnusableInput

MOST_BYTES = 64 * 2**20
KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO | None]:
    """The file open for reading, None where there is none; raises UnusableInput for what is no plain file."""
    try:
        # Without O_NONBLOCK, opening a FIFO waits for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    except OSError as e:
        raise UnusableInput(f"{path} cannot be read ({e.strerror}): give a plain file that you may read") from e
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = next(name for is_kind, name in KINDS if is_kind(mode))
        raise UnusableInput(f"{path} is {kind}, not a plain file: restore the file or remove what is in its place")
    with os.fdopen(descriptor, "rb") as file:
        yield file


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes | None:
    """The whole content, None where there is no such file; raises UnusableInput above `most` bytes."""
    with opened(path) as file:
        if file is None:
            return None
        content = file.read(most + 1)
    if len(content) > most:
        raise UnusableInput(f"{path} is larger than {most // 2**20} MiB, more than any file of its kind: restore it")
    return content


def read_json(path: Path) -> Any:
    """What the JSON file holds, None where there is no such file."""
    content = read_bytes(path)
    if content is None:
        return None
    try:
        return msgspec.json.decode(content)
    except (msgspec.MsgspecError, RecursionError) as e:
        raise UnusableInput(f"{path} cannot be read as JSON ({e}): restore it or remove it") from e


def is_directory(path: Path) -> bool:
    """Whether it is a directory; a name that no file system allows is none."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where the name is too long


def folders(path: Path) -> list[Path]:
    """The directories in a directory by name, nothing where it is none; raises UnusableInput where it cannot be read."""
    try:
        return sorted(entry for entry in path.iterdir() if is_directory(entry)) if is_directory(path) else []
    except OSError as e:
        raise UnusableInput(f"{path} cannot be read ({e.strerror}): give a directory that you may read") from e
