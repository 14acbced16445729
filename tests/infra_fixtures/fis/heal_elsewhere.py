"""python -m tests.infra_fixtures.fis.heal_elsewhere DIRECTORY URL: undo what that journal has open, in a process of its own."""

from __future__ import annotations

import contextlib
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from infra_fixtures.safety.heal import undo_all
from infra_fixtures.safety.journal import Journal
from tests.infra_fixtures.fis.scripted_fis import ScriptedFis


class Healer:
    """With nothing but clients of that address."""

    def __init__(self, url: str) -> None:
        self._fis = ScriptedFis(url=url)

    def client(self, service: str, region: str | None = None) -> Any:
        """Of FIS and of nothing else."""
        return self._fis.client(service, region)

    def healing(self) -> AbstractContextManager[None]:
        """Nothing guards it."""
        return contextlib.nullcontext()


if __name__ == "__main__":
    undo_all(Healer(sys.argv[2]), Journal(Path(sys.argv[1])), "heal")
