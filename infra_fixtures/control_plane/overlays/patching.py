"""How an overlay changes moto: one attribute of a class or module at a time, never silently beside a moto that changed."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any


class MotoChanged(RuntimeError):
    """moto is not as the overlay found it when it was written: the overlay must be looked at again."""


def replaces(owner: type | ModuleType, name: str) -> Callable[[Any], Any]:
    """Put the decorated function (or property) in the place of an attribute that moto has."""
    if name not in vars(owner):
        whole = owner.__name__ if isinstance(owner, ModuleType) else f"{owner.__module__}.{owner.__name__}"
        raise MotoChanged(f"{whole} has no {name} of its own to replace")
    return _sets(owner, name)


def adds(owner: type, name: str) -> Callable[[Any], Any]:
    """Add the decorated function under a name that moto does not have."""
    if hasattr(owner, name):
        raise MotoChanged(f"{owner.__module__}.{owner.__name__} has a {name} already: drop the overlay's")
    return _sets(owner, name)


def _sets(owner: type | ModuleType, name: str) -> Callable[[Any], Any]:
    def put(value: Any) -> Any:
        setattr(owner, name, value)
        return value

    return put
