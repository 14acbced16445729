"""Requests with placeholders: {key} in a path or a body becomes the key of the write, and so on.

A string of a body that is a placeholder and nothing else takes the value itself, so that "{key}" is sent as a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")

Values = Mapping[str, int | bool]
_Text = Callable[[Values], str]
_Fill = Callable[[Values], Any]
_encoder = msgspec.json.Encoder()


def placeholders(template: Any) -> Iterator[str]:
    """The names that a path or a body asks for."""
    if isinstance(template, str):
        yield from _PLACEHOLDER.findall(template)
    elif isinstance(template, dict):
        for name, value in template.items():
            yield from placeholders(name)
            yield from placeholders(value)
    elif isinstance(template, list):
        for value in template:
            yield from placeholders(value)


class Template:
    """A request's path and JSON body (None: it has none), made ready to be filled in thousands of times a second."""

    def __init__(self, path: str, body: Any = None) -> None:
        self._path = _text(path)
        self._body = None if body is None else _value(body)

    def path(self, values: Values) -> str:
        """The path with its values."""
        return self._path(values)

    def body(self, values: Values) -> bytes | None:
        """The body with its values, as JSON."""
        return None if self._body is None else _encoder.encode(self._body(values))


def _text(template: str) -> _Text:
    parts = _PLACEHOLDER.split(template)
    if len(parts) == 1:
        return lambda _: template
    fixed, names = parts[::2], parts[1::2]

    def fill(values: Values) -> str:
        return fixed[0] + "".join(_spelt(values[n]) + rest for n, rest in zip(names, fixed[1:], strict=True))

    return fill


def _value(template: Any) -> _Fill:
    if isinstance(template, str):
        whole = _PLACEHOLDER.fullmatch(template)
        return _text(template) if whole is None else lambda values, name=whole[1]: values[name]  # type: ignore[misc]
    if isinstance(template, dict):
        fields = [(_text(name), _value(value)) for name, value in template.items()]
        return lambda values: {name(values): value(values) for name, value in fields}
    if isinstance(template, list):
        items = [_value(value) for value in template]
        return lambda values: [item(values) for item in items]
    return lambda _: template


def _spelt(value: int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
