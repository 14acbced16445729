"""Several observers of one drill as one: the terminal and Allure's steps hear the same."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Who is told of a drill while it runs (as `drill.run` has it)."""

    def phase(self, name: str) -> None:
        """A phase begins."""

    def update(self, **figures: float | str | None) -> None:
        """Figures of the moment."""

    def mark(self, event: str, detail: str) -> None:
        """Something happened."""


class Several:
    """Tells each of its observers in turn."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def phase(self, name: str) -> None:
        """A phase begins."""
        for observer in self._observers:
            observer.phase(name)

    def update(self, **figures: float | str | None) -> None:
        """Figures of the moment."""
        for observer in self._observers:
            observer.update(**figures)

    def mark(self, event: str, detail: str) -> None:
        """Something happened."""
        for observer in self._observers:
            observer.mark(event, detail)
