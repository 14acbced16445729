"""One system for all faults: each leaves it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real_world import System, real_world


@pytest.fixture(scope="package")
def shared_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The system that stands for the whole package."""
    with real_world(tmp_path_factory.mktemp("runs")) as system:
        yield system


@pytest.fixture
def system(shared_system: System) -> Iterator[System]:
    """The system as it is in normal operation; at the end it must be so again, by healing alone."""
    yield shared_system
    shared_system.is_as_before()
