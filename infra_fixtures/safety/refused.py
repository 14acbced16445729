"""What the guard says where something may not be done."""

from __future__ import annotations

from drill.unusable import UnusableInput


class Refused(UnusableInput):
    """Something was not done: the sentence says what, by which rule, and how it would be allowed."""

    def __init__(self, what: str, rule: str, remedy: str) -> None:
        super().__init__(f"{what} was not done: {rule}; {remedy}")
