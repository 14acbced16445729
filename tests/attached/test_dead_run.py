"""A run that died: what it broke is healed by any process, by its owner's own command, and until then nobody else drills it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drill.unusable import UnusableInput
from drill.wait import wait_until
from infra_fixtures.faults.described import Described
from infra_fixtures.faults.fault import InjectedFault, NotSupported, require
from infra_fixtures.faults.operator import OperatorFault
from infra_fixtures.faults.region_lost import RegionLost
from infra_fixtures.faults.schedule import Schedule
from infra_fixtures.orphan_runs import NotHealed, heal_orphan, orphans
from infra_fixtures.run_layout import REPOSITORY, RunLayout
from infra_fixtures.safety.bounded_command import CommandFailed
from infra_fixtures.safety.journal import Healed
from infra_fixtures.standing import standing
from infra_fixtures.targets import read_options
from infra_fixtures.targets.world import World
from probes.steady_state import await_steady_state
from tests.attached.scripted import Scripted, scripted

DIE = """
import os, sys
from pathlib import Path
from infra_fixtures.faults.described import Described
from infra_fixtures.faults.fault import InjectedFault
from infra_fixtures.faults.schedule import Schedule
from infra_fixtures.standing import standing

options = {"topology": {"path": sys.argv[1], "text": Path(sys.argv[1]).read_text()}}
with standing("attach", pace=1.0, runs_dir=Path(sys.argv[2]), options=options) as world:
    (one,) = Schedule.of(Described()).in_world(world).faults
    InjectedFault(world, one.fault).inject()
    print("broken", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def system(layout: RunLayout, tmp_path: Path) -> Iterator[Scripted]:
    """It stands."""
    with scripted(layout, tmp_path) as stands:
        yield stands


@contextlib.contextmanager
def world_of(system: Scripted, topology: Path) -> Iterator[World]:
    """The system, attached."""
    with standing("attach", pace=1.0, runs_dir=system.directory / "runs", options=told(topology)) as world:
        yield world


def told(topology: Path) -> dict[str, Any]:
    """The target's options as a command line gives them."""
    return read_options("attach", {"topology": str(topology)}.get)


def break_it(system: Scripted, topology: Path) -> None:
    """Attach, break, and detach."""
    with world_of(system, topology) as world:
        (one,) = Schedule.of(Described()).in_world(world).faults
        InjectedFault(world, one.fault).inject()


def test_any_process_heals_what_a_killed_harness_broke(system: Scripted) -> None:
    """By the command in its journal, whatever became of the description; meanwhile the system is nobody else's."""
    topology, runs = system.description(), system.directory / "runs"
    with subprocess.Popen(
        [sys.executable, "-c", DIE, str(topology), str(runs)],
        cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as harness:  # fmt: skip
        assert harness.stdout is not None
        assert harness.stdout.readline() == "broken\n"
        assert not system.answers(system.primary)
        with pytest.raises(UnusableInput, match="drills this system"), world_of(system, topology):
            pytest.fail("two game days overlap")
        harness.kill()
    # The harness is dead: its watchdog heals at once, by the same journal and without the file.
    topology.unlink()
    wait_until(lambda: not list(orphans(runs)), what="the watchdog to heal", timeout_s=30)
    wait_until(lambda: system.answers(system.primary), what="the primary to answer", timeout_s=10)
    (journal,) = [path for path in runs.glob("*/journal.jsonl") if '"healed"' in path.read_text()]
    assert "nothing is left" in heal_orphan(journal, by="heal")
    with world_of(system, system.description()):
        pass


def test_a_heal_that_fails_stays_open_and_is_named(system: Scripted) -> None:
    """The journal keeps the fault, the lock keeps others out, and a later `heal` that works frees both."""
    mended = system.directory / "mended"
    heal = f"test -e {mended} && {{ {system.command(system.primary)} }}"
    topology = system.description(heal=False)
    topology.write_text(topology.read_text() + f"[heal]\ncommand = '''{heal}'''\n")
    runs = system.directory / "runs"
    with pytest.raises(NotHealed, match="ended with status 1"):
        break_it(system, topology)
    wait_until(lambda: _watchdog_gave_up(runs), what="the watchdog to try it too", timeout_s=20)
    (journal,) = orphans(runs)
    with pytest.raises(UnusableInput, match="may have left it broken"), world_of(system, topology):
        pytest.fail("a broken system was drilled again")
    mended.touch()
    assert "healed command" in heal_orphan(journal, by="heal")
    wait_until(lambda: system.answers(system.primary), what="the primary to answer", timeout_s=10)
    with world_of(system, topology):
        pass


def _watchdog_gave_up(runs: Path) -> bool:
    return any("not everything could be healed" in log.read_text() for log in runs.glob("*/watchdog.log"))


def test_a_break_that_fails_is_undone_and_said(system: Scripted) -> None:
    """Whatever half of it was done is taken back."""
    topology = system.description()
    topology.write_text(topology.read_text().replace("kill -9", "false"))
    with world_of(system, topology) as world:
        await_steady_state(world, timeout_s=20)
        os.kill(int(system.pid_file(system.primary).read_text()), signal.SIGKILL)
        (one,) = Schedule.of(Described()).in_world(world).faults
        fault = InjectedFault(world, one.fault)
        with pytest.raises(CommandFailed, match="ended with status 1"):
            fault.inject()
        assert len(world.journal.open_entries()) == 1
        fault.heal()
        assert Healed(1, "harness") in world.journal.lines()
        wait_until(lambda: system.answers(system.primary), what="the primary to answer", timeout_s=10)


def test_what_it_lacks_is_named_before_anything_is_done(system: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power, a person at a terminal, a description of how it is broken."""
    monkeypatch.setattr("infra_fixtures.faults.by_owner.has_terminal", lambda: False)
    with world_of(system, system.description()) as world:
        with pytest.raises(NotSupported, match="region_lost needs RegionPower, which the target attach does not have"):
            require(world, RegionLost())
        with pytest.raises(NotSupported, match="operator needs a terminal at which a person can be asked"):
            require(world, OperatorFault("Pull the cable"))
    topology = system.description(heal=False)
    topology.write_text(topology.read_text().partition("[break]")[0])
    with world_of(system, topology) as world, pytest.raises(NotSupported, match="described needs BreakPart"):
        Schedule.of(Described()).in_world(world)


def test_mistakes_are_one_sentence_and_nothing_is_stood_up(system: Scripted) -> None:
    """A description that is missing, and a workload that reads what no site has."""
    with (
        pytest.raises(UnusableInput, match=r"--target attach needs --topology FILE\.toml"),
        standing("attach", pace=1.0, runs_dir=system.directory / "runs"),
    ):
        pytest.fail("it was attached")
    with pytest.raises(UnusableInput, match=r"none\.toml is not there: give the TOML file that describes the system"):
        told(system.directory / "none.toml")
    topology = system.description()
    contract = system.directory / "orders.toml"
    contract.write_text(
        contract.read_text().partition("[survivors.listing]")[0] + '[survivors.rows]\nsql = "SELECT 1"\n'
    )
    with pytest.raises(UnusableInput, match=r"reads survivors\.rows, and the site left has no table database"):
        world_of(system, topology).__enter__()
    assert not list(orphans(system.directory / "runs"))
