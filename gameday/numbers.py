"""Options that count something."""

from __future__ import annotations

from drill.unusable import UnusableInput


def whole_number(option: str, said: object, *, least: int) -> int:
    """The value of an option that counts something; raises UnusableInput."""
    text = str(said)
    if not text.isdecimal() or int(text) < least:
        raise UnusableInput(f"{option} {text} is no number of at least {least}: give one such as {option} {least + 4}")
    return int(text)
