"""What a target is asked to stand up, and the options that only it knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


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
class Asked:
    """One run: where its journal lies is `runs_dir`/`run_id`."""

    run_id: str
    pace: float
    runs_dir: Path
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def journal_dir(self) -> Path:
        """Where the undo journal of this run is kept."""
        return self.runs_dir / self.run_id
