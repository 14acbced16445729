"""Who acts in an account, for a preflight of their permissions: a target's module may give them, `holders(run) -> Holders`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Holders:
    """`roles` are the ARNs by duty ("" for the credentials themselves), `name` the pattern of the names that they act on.

    `close` closes the clients.
    """

    client: Callable[[str, str | None], Any]
    roles: Mapping[str, str]
    name: str
    account: str
    regions: tuple[str, ...]
    close: Callable[[], None]
