"""python -m tests.infra_fixtures.fis.heal_elsewhere JOURNAL_DIRECTORY WHERE: undo what is open, in a process of its own.

WHERE: the URL of a scripted FIS, or the file of a run's layout, whose AWS API still answers.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from infra_fixtures.run_layout import RunLayout
from infra_fixtures.safety.heal import undo_all
from infra_fixtures.safety.journal import Journal
from infra_fixtures.targets.clients import Clients
from tests.infra_fixtures.fis.scripted_fis import ScriptedFis


class Healer:
    """With nothing but clients of its own."""

    def __init__(self, client: Callable[[str, str | None], Any]) -> None:
        self._client = client

    def client(self, service: str, region: str | None = None) -> Any:
        """A client of that API."""
        return self._client(service, region)

    def healing(self) -> AbstractContextManager[None]:
        """Nothing guards it."""
        return contextlib.nullcontext()


def main(directory: str, where: str) -> None:
    """Undo all that the journal there has open."""
    client = ScriptedFis(url=where).client if "://" in where else Clients(RunLayout.load(Path(where))).client
    undo_all(Healer(client), Journal(Path(directory)), "heal")


if __name__ == "__main__":
    main(*sys.argv[1:])
