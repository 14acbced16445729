"""The target of docs/writing-a-target.md stood up over two tiny applications: it is driven, broken, healed, also by others."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import urllib3

from drill.unusable import UnusableInput
from infra_fixtures import usage
from infra_fixtures.faults.database_lost import DatabaseLost
from infra_fixtures.faults.fault import NotSupported, injected
from infra_fixtures.faults.region_lost import RegionLost
from infra_fixtures.faults.subnets_isolated import SubnetsIsolated
from infra_fixtures.orphan_runs import heal_orphan, orphans
from infra_fixtures.powers import RegionPower
from infra_fixtures.running_topology import RunningTopology
from infra_fixtures.safety.journal import JOURNAL, Ended, Header, Healed, Journal
from infra_fixtures.safety.refused import Refused
from infra_fixtures.safety.undo import RestoreRegion, power
from infra_fixtures.standing import standing
from infra_fixtures.targets import TARGETS, Target, add_options, read_options
from infra_fixtures.targets.parts import ApiPart, DatabasePart, MissingPart
from infra_fixtures.targets.world import Endpoint, World
from probes.all import probes_for
from probes.steady_state import await_steady_state
from probes.survivors import read_survivors
from probes.web import Client
from tests.docs.pages import as_modules
from traffic.contract_file import read_contract

PAGE = "writing-a-target.md"
PATIENCE = urllib3.Timeout(connect=0.5, read=0.5)
APPLICATION = """
import http.server, json

stored = []

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({"items": stored})

    def do_POST(self):
        stored.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.answer({"stored": True})

    def answer(self, said):
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""
CONTRACT = """
name = "notes"
region = "left"
write = { path = "/notes", body = { key = "{key}", amount = "{content}" } }
read = { path = "/notes/{key}" }
health = { path = "/" }

[survivors.listing]
path = "/notes"
items = "/items"
content = "/amount"
"""


@dataclass(frozen=True, slots=True)
class Two:
    """What the target is told, and the applications' process ids."""

    options: Mapping[str, Any]
    pids: tuple[int, int]


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Two]:
    """Two applications that run, and the target's row among the others."""
    target, options = as_modules(PAGE, monkeypatch).values()
    monkeypatch.setitem(TARGETS, "pair", Target(target.__name__, options.OPTIONS))
    contract = tmp_path / "notes.toml"
    contract.write_text(CONTRACT)
    with contextlib.ExitStack() as stack:
        (left, left_pid), (right, right_pid) = (stack.enter_context(_application()) for _ in range(2))
        told = {
            "pair_primary": f"left={left},{left_pid}",
            "pair_standby": f"right={right},{right_pid}",
            "pair_contract": str(contract),
        }
        yield Two(told, (left_pid, right_pid))


@contextlib.contextmanager
def _application() -> Iterator[tuple[str, int]]:
    with subprocess.Popen([sys.executable, "-c", APPLICATION], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}", process.pid
        finally:
            process.kill()


@pytest.fixture
def world(two: Two, tmp_path: Path) -> Iterator[World]:
    """The target stood up, with its journal and watchdog."""
    with standing("pair", pace=1.0, runs_dir=tmp_path / "runs", options=two.options) as stood:
        yield stood
    assert not list(orphans(tmp_path / "runs"))


def test_its_region_is_lost_and_comes_back(world: World) -> None:
    """Nobody answers while the fault stands, the other place does; what was stored before is there afterwards."""
    await_steady_state(world, timeout_s=5)
    _store(world, key=7)
    with injected(world, RegionLost()):
        assert not _answers(world, world.primary)
        assert _answers(world, world.standby)
    assert _answers(world, world.primary)
    assert world.journal.open_entries() == []
    assert [(s.key, s.copies) for s in read_survivors(world, world.primary, 0)] == [(7, 1)]


def test_what_it_lacks_is_named(world: World) -> None:
    """A power or a part that is missing is a sentence, and a probe that needs one does not run."""
    with pytest.raises(NotSupported, match="database_lost needs ProcessPower, which the target pair does not have"):
        injected(world, DatabaseLost()).__enter__()
    with pytest.raises(NotSupported, match="subnets_isolated needs NetworkPart, which the target pair does not have"):
        injected(world, SubnetsIsolated()).__enter__()
    with pytest.raises(MissingPart, match=r"survivors\.listing"):
        world.database(world.primary)
    assert world.part(DatabasePart) is None
    assert {probe.name for probe in probes_for(world, dict)} >= {"cpu_wait"}
    assert world.journal.open_entries() == []


def test_a_person_is_told_how_to_use_it(world: World) -> None:
    """What `up` prints: lines that work, by the application's own description, and none for ways in that are not there."""
    assert _url(world, world.primary) in RunningTopology.of(world).describe()
    with usage.described(world) as described:
        lines = dict(re.findall(r"^# (.*)\n(.*)$", described, re.MULTILINE))
        assert list(lines) == ["store a record in left", "read it"]
        for line in lines.values():
            told = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=30, check=False)
            assert told.returncode == 0, told.stderr
    assert [(s.key, s.copies) for s in read_survivors(world, world.primary, 0)] == [(1, 1)]


def test_its_guard_knows_two_places(world: World) -> None:
    """Any other is refused before anything is done."""
    with pytest.raises(Refused, match="lose_region in elsewhere was not done"):
        power(world, RegionPower).lose_region("elsewhere")
    with pytest.raises(
        UnusableInput, match="elsewhere is no region of this system: give one of primary, standby, left"
    ):
        injected(world, RegionLost("elsewhere")).__enter__()


def test_any_process_heals_its_dead_run(two: Two, tmp_path: Path) -> None:
    """The header is enough: the place goes on, and the journal says who saw to it."""
    header = Header("20261205T060000Z-abc123", "pair", 1.0, dict(two.options))
    journal = Journal(tmp_path / "runs" / header.run_id)
    journal.stands_up(header)
    journal.begin("region_lost", [RestoreRegion("left")])
    os.kill(two.pids[0], signal.SIGSTOP)
    journal.close()  # as the kernel does for one that dies
    (left,) = orphans(tmp_path / "runs")
    assert "healed region_lost" in heal_orphan(left, by="heal")
    assert not list(orphans(tmp_path / "runs"))
    with _web(str(two.options["pair_primary"]).partition("=")[2].rpartition(",")[0]) as web:
        assert web.status("/") == 200
    journal = Journal(tmp_path / "runs" / header.run_id)
    assert journal.lines()[-2:] == [Healed(1, "heal"), Ended("heal")]
    journal.close()
    assert (tmp_path / "runs" / header.run_id / JOURNAL).stat().st_mode & 0o077 == 0


def test_its_options_are_on_every_command_line(two: Two) -> None:
    """Added and read like those of any target; what cannot be used is a sentence."""
    parser = argparse.ArgumentParser()
    add_options(parser.add_argument)
    given = parser.parse_args([f"--{name.replace('_', '-')}={value}" for name, value in two.options.items()])
    assert read_options("pair", lambda name: getattr(given, name)) == two.options
    broken = Header("run", "pair", 1.0, {**two.options, "pair_primary": "here"})
    with pytest.raises(UnusableInput, match="here is not NAME=URL,PID"):
        sys.modules[TARGETS["pair"].module].orphan(broken)


def _store(world: World, *, key: int) -> None:
    contract = read_contract(Path(str(_options(world)["pair_contract"])))
    with _web(_url(world, world.primary)) as web:
        web.send(contract.write, key=key, content=3)


def _options(world: World) -> Mapping[str, Any]:
    (header,) = (line for line in world.journal.lines() if isinstance(line, Header))
    return header.options


def _answers(world: World, place: str) -> bool:
    with _web(_url(world, place)) as web:
        return web.status("/") == 200


def _url(world: World, place: str) -> str:
    apis = world.part(ApiPart)
    assert apis is not None
    return apis.endpoints[place].url


def _web(url: str) -> Client:
    return Client(Endpoint(url), PATIENCE)
