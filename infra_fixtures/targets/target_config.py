"""What a target is asked to stand up, and the options that only it knows."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Any

from infra_fixtures.safety.journal import Header, Journal


@dataclass(frozen=True, slots=True)
class Option:
    """A command-line option of one target: a switch, or a value that may be given several times (`many`)."""

    flag: str
    help: str
    switch: bool = False
    many: bool = False
    default: Any = None

    @property
    def name(self) -> str:
        """The option's name among the given ones."""
        return self.flag.removeprefix("--").replace("-", "_")

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
    """One run as its journal's header tells it, its journal, and the watchdog over it."""

    run: Header
    journal: Journal
    watchdog: subprocess.Popen[bytes]
