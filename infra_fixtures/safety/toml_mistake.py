"""What msgspec says of a TOML file that does not fit its struct, as a sentence for whoever wrote the file."""

from __future__ import annotations

import re
from collections.abc import Callable

from drill.objective import nearest

UNKNOWN_KEY = re.compile(r"unknown field `(?P<name>[^`]*)`(?: - at `\$\.?(?P<where>[^`]*)`)?")
AT = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<where>[^`]*)`)?", re.DOTALL)


def mistake(said: str, keys: Callable[[str], tuple[str, ...]]) -> str:
    """msgspec's sentence as one of ours, with the place as people write it; `keys` are those of a table, by its name."""
    if unknown := UNKNOWN_KEY.search(said):
        name, where = unknown["name"], re.sub(r"\[.*?\]", "", unknown["where"] or "")
        known = tuple(k for k in keys(where) if not k.startswith(" "))
        table = f"the table {where} has" if where else "there is"
        return f"{table} no key {name}; {nearest(name, known)}"
    found = AT.fullmatch(said)
    assert found is not None
    what, where = found["what"], found["where"] or ""
    if missing := re.search(r"missing required field `([^`]*)`", what):
        return f"{f'{where}.' if where else ''}{missing[1]} is missing: write it (docs/gameday-file.md has an example)"
    return f"{where or 'the file'} is not understood: {what[0].lower()}{what[1:]}"
