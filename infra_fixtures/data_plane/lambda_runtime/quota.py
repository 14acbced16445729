"""Concurrency limits: how many invocations may run at once, of one function or of all that reserve nothing.

Source: AWS Lambda developer guide, "Understanding Lambda function scaling" and "Configuring reserved concurrency".
"""

from __future__ import annotations

from infra_fixtures.data_plane.lambda_runtime.invocation import RESERVED_EXCEEDED, UNRESERVED_EXCEEDED

ACCOUNT_LIMIT = 1000
"""An account's default concurrent executions in a region."""


class Quota:
    """A limit and what is taken of it."""

    __slots__ = ("limit", "reason", "taken")

    def __init__(self, limit: int, reason: str) -> None:
        self.limit = limit
        self.reason = reason
        self.taken = 0

    def take(self) -> bool:
        """Take one, if one is left."""
        if self.taken >= self.limit:
            return False
        self.taken += 1
        return True

    def give_back(self) -> None:
        """One has ended."""
        self.taken -= 1


class Account:
    """One account's concurrency in one region: the unreserved part shrinks by what functions reserve."""

    def __init__(self) -> None:
        self.unreserved = Quota(ACCOUNT_LIMIT, UNRESERVED_EXCEEDED)
        self._reserved: dict[str, Quota] = {}

    def reserve(self, function: str, concurrency: int | None) -> None:
        """Set a function's reserved concurrency; None gives it back."""
        if concurrency is None:
            self._reserved.pop(function, None)
        elif function in self._reserved:
            self._reserved[function].limit = concurrency
        else:
            self._reserved[function] = Quota(concurrency, RESERVED_EXCEEDED)
        self.unreserved.limit = ACCOUNT_LIMIT - sum(q.limit for q in self._reserved.values())

    def quota(self, function: str) -> Quota:
        """The limit a function stands under now."""
        return self._reserved.get(function, self.unreserved)
