"""An overlay never lies silently beside a moto that changed."""

from __future__ import annotations

import pytest

from infra_fixtures.control_plane.overlays.patching import MotoChanged, adds, replaces


class Theirs:
    """Stands for a class of moto's."""

    def held(self) -> str:
        """What it has."""
        return "theirs"


class Derived(Theirs):
    """Inherits it and has none of its own."""


def test_what_is_not_there_cannot_be_replaced() -> None:
    """Neither a name moto dropped nor one that only a parent class has."""
    with pytest.raises(MotoChanged, match="has no gone"):
        replaces(Theirs, "gone")
    with pytest.raises(MotoChanged, match="has no held of its own"):
        replaces(Derived, "held")


def test_what_is_there_cannot_be_added() -> None:
    """moto has learned it: the overlay's is to go."""
    with pytest.raises(MotoChanged, match="has a held already"):
        adds(Theirs, "held")


def test_a_replacement_takes_effect() -> None:
    """On instances made before, too."""
    before = Theirs()
    replaces(Theirs, "held")(lambda self: "ours")
    assert before.held() == "ours"
