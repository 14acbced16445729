"""JSON pointers (RFC 6901): where in an answer a value stands, such as /data/0/key."""

from __future__ import annotations

import functools
import re
from typing import Any

_TOKEN = re.compile(r"(?:[^~]|~[01])*")
_INDEX = re.compile(r"0|[1-9][0-9]*")


def mistake(pointer: str) -> str | None:
    """What is wrong with it, or None."""
    if pointer and not pointer.startswith("/"):
        return f"{pointer!r} is no JSON pointer: begin it with /, as in /data/key (empty: the whole answer)"
    if not _TOKEN.fullmatch(pointer):
        return f"{pointer!r} is no JSON pointer: write ~ as ~0 and a / within a name as ~1"
    return None


def find(document: Any, pointer: str) -> Any:
    """The value there; None where there is none, or it is null."""
    found = document
    for name in _names(pointer):
        if type(found) is dict:
            found = found.get(name)
        elif type(found) is list and _INDEX.fullmatch(name) and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found


@functools.lru_cache(maxsize=1024)
def _names(pointer: str) -> tuple[str, ...]:
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])
