"""What is left of a run on this machine: its processes, which hold the whole system and every fault in it, and its files."""

from __future__ import annotations

import contextlib
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from infra_fixtures.link_rule import LinkRule
from infra_fixtures.powers import Harm, Instant, LinkName, Role
from infra_fixtures.safety.journal import Header
from infra_fixtures.safety.lease import work_dirs
from infra_fixtures.safety.sweep import sweep


class GoneWithTheRun(Exception):
    """A system whose processes are ended can be healed no further, and harmed no more."""


class LocalOrphan:
    """Every power's undo is done once the processes are ended: there is nothing left that could be harmed."""

    def __init__(self, run: Header) -> None:
        self._run = run

    def client(self, service: str, region: str | None = None) -> Any:
        """None: the AWS API was one of the run's processes."""
        return None

    def healing(self) -> AbstractContextManager[None]:
        """Nothing guards what is left."""
        return contextlib.nullcontext()

    def end_processes(self) -> int:
        """Kill every process of the run, and of nobody else; raises ProcessesLeft where some live on."""
        return sweep(self._run.run_id, *self._work_dirs())

    def taken_over(self) -> AbstractContextManager[None]:
        """It was nobody else's."""
        return contextlib.nullcontext()

    def remove(self) -> None:
        """Remove its work directories."""
        for work_dir in self._work_dirs():
            shutil.rmtree(work_dir, ignore_errors=True)

    def lose_region(self, region: str) -> Instant:
        """Nobody can."""
        raise GoneWithTheRun

    def restore_region(self, region: str) -> None:
        """It is gone."""

    def harm_processes(self, region: str, role: Role, harm: Harm, az: str | None = None) -> Instant:
        """Nobody can."""
        raise GoneWithTheRun

    def restore_processes(self, region: str, role: Role, az: str | None = None) -> None:
        """They are gone."""

    def add_link_rule(self, link: LinkName, rule_id: str, rule: LinkRule) -> Instant:
        """Nobody can."""
        raise GoneWithTheRun

    def remove_link_rule(self, link: LinkName, rule_id: str) -> None:
        """The link is gone."""

    def reset_link(self, link: LinkName) -> Instant:
        """Nobody can."""
        raise GoneWithTheRun

    def return_to_primary(self) -> None:
        """There are no regions left."""

    def _work_dirs(self) -> list[Path]:
        return work_dirs(self._run.run_id, self._run.temp_dir)
