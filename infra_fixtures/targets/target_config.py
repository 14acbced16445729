"""What a target is asked to stand up, and the options that only it knows."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra_fixtures.safety.gameday_file import text_of
from infra_fixtures.safety.journal import Header, Journal
from infra_fixtures.safety.stop_conditions import Condition


@dataclass(frozen=True, slots=True)
class Option:
    """A command-line option of a target: a switch, or a value that may be given several times (`many`).

    `variable` is what of the environment is taken where the command line says nothing (several values: by commas).
    `content`: a file's path is given, and what is kept is {"path": ..., "text": ...}, so that whoever heals the run is told
    what the file said then.
    """

    flag: str
    help: str
    switch: bool = False
    many: bool = False
    default: Any = None
    variable: str = ""
    content: bool = False
    remedy: str = ""
    """What to do where that file is not there, if it is no game day file."""

    @property
    def name(self) -> str:
        """The option's name among the given ones."""
        return self.flag.removeprefix("--").replace("-", "_")

    def or_from(self, environment: Mapping[str, str], given: Any) -> Any:
        """What was given, else what the environment says; raises UnusableInput for a file that cannot be read."""
        said = environment.get(self.variable) if self.variable and not given else None
        if self.content and (path := said or given):
            return {"path": str(path), "text": text_of(Path(path), *([self.remedy] if self.remedy else []))}
        if not said:
            return given
        return [part.strip() for part in said.split(",") if part.strip()] if self.many else said

    @property
    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for argparse's `add_argument` and pytest's `addoption` alike."""
        if self.switch:
            return {"action": "store_true", "default": bool(self.default), "help": self.help}
        if self.many:
            return {"action": "append", "default": self.default, "help": self.help}
        return {"default": self.default, "help": self.help}


@dataclass(frozen=True, slots=True)
class TargetConfig:
    """One run as its journal's header tells it, its journal, the watchdog over it, and what ends every drill of it."""

    run: Header
    journal: Journal
    watchdog: subprocess.Popen[bytes]
    stop_conditions: tuple[Condition, ...] = ()
