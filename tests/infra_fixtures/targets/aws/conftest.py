"""An emulated account for all tests of this package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra_fixtures.targets.emulated_account import EmulatedAccount, emulated_account


@pytest.fixture(scope="package")
def account() -> Iterator[EmulatedAccount]:
    """Empty at first; every test leaves it as it was."""
    with emulated_account() as held:
        yield held
