"""docs/attach.md: its example reads, its workload fits, every key is told, and the drill that it describes is played."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infra_fixtures.faults.schedule import Schedule
from infra_fixtures.run_layout import RunLayout
from infra_fixtures.safety.way import Way
from infra_fixtures.targets.attach.description import Database, Description, Failover, Service, Site
from tests.attached.scripted import CONTRACT, Scripted, scripted
from tests.attached.test_drill import SCHEDULE, play, run_of, verdict_of
from tests.docs.pages import ROOT, blocks

PAGE = "attach.md"
LEAD = """
import sys
from pathlib import Path
import os
Path(sys.argv[1]).write_text(sys.argv[2] + os.environ["DNSCTL_TOKEN"][:0])
"""


@pytest.fixture
def system(layout: RunLayout, tmp_path: Path) -> Iterator[Scripted]:
    """One whose name is moved by a command."""
    with scripted(layout, tmp_path, by_command=True) as stands:
        yield stands


def example() -> str:
    """The only TOML block of the page."""
    (found,) = blocks("toml", PAGE)
    return found.text


def test_its_example_is_a_description(tmp_path: Path) -> None:
    """It reads, and becomes a break with its heal and a failover with its failback."""
    found = Description.parse(example(), source=PAGE)
    broken, moved = Schedule.from_tables(list(found.faults()), source=PAGE).faults
    assert broken.main
    assert (broken.fault.name, moved.fault.name, moved.at_s) == ("command", "command", 1.0)
    assert found.environment == ("DNSCTL_TOKEN",)


def test_every_key_of_the_file_is_told() -> None:
    """What may stand in it stands on the page, and the defaults that it names are so."""
    page = (ROOT / "docs" / PAGE).read_text()
    for kind in (Description, Service, Site, Database, Way, Failover):
        for field in msgspec.structs.fields(kind):
            assert re.search(rf"`(\w+\.)?{field.encode_name}`|^\[{field.encode_name}\]", page, re.MULTILINE), field
    assert (Way(command="x").timeout_s, Service("http://a").dns_every_s) == (600, 0.25)
    told: dict[str, Any] = {f.name: f.default for f in msgspec.structs.fields(Description)}
    assert (told["rate"], told["rate_cap"], told["moves"]) == (10, 50, True)


@pytest.mark.slow
def test_its_drill_is_played(system: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example over a system that stands: broken, failed over, healed and failed back by commands; MET, as before, and
    no secret is kept."""
    monkeypatch.setenv("DNSCTL_TOKEN", "hush-hush-4711")
    (tmp_path / "orders.toml").write_text(CONTRACT)
    (tmp_path / "lead.py").write_text(LEAD)
    topology = tmp_path / "system.toml"
    topology.write_text(_on(system, example()))
    done = play(system, topology, SCHEDULE)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found, run = verdict_of(system), run_of(system)
    rto = found["measurements"]["rto_s"]
    assert found["verdict"] == "MET"
    assert rto["lower"] <= 1.0 + 1.5
    assert rto["upper"] >= 1.0
    assert system.names.addresses == (system.primary,)
    assert system.answers(system.primary)
    kept = (run / "commands.log").read_text()
    assert kept.count("lead.py") == 2
    healed = [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]
    assert [line["entry"] for line in healed if line["type"] == "healed"] == [1, 2], "roles are given back last"
    assert "hush-hush" not in kept + (run / "journal.jsonl").read_text() + (run / "run.json").read_text()


def _on(system: Scripted, text: str) -> str:
    """The example with the system's own addresses and commands."""
    lead = f"{shlex.join([sys.executable, str(system.directory / 'lead.py'), str(system.leads)])} "
    pid = system.pid_file(system.primary)
    changed = {
        "http://orders.example:18080": f"http://orders.example:{system.port}",
        "127.0.0.1:5353": f"{system.names.host}:{system.names.port}",
        "http://192.0.2.10:18080": f"http://{system.primary}:{system.port}",
        "http://192.0.2.20:18080": f"http://{system.standby}:{system.port}",
        '["ssh", "left", "systemctl", "kill", "--signal=KILL", "orders"]': f"'''kill -9 $(cat {pid})'''",
        '["ssh", "left", "systemctl", "start", "orders"]': f"'''{system.command(system.primary)}'''",
        '"dnsctl set orders.example 192.0.2.20"': f"'''{lead}{system.standby}'''",
        '"dnsctl set orders.example 192.0.2.10"': f"'''{lead}{system.primary}'''",
    }
    for old, new in changed.items():
        assert old in text
        text = text.replace(old, new)
    return text
