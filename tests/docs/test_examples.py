"""Every block of Python and TOML on a page is real: an excerpt of a file, or an example that is run."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from gameday.scenario import Scenario, Settings
from infra_fixtures import powers
from infra_fixtures.faults.fault import HARNESS, Fault, injected
from infra_fixtures.faults.schedule import Schedule, Scheduled
from infra_fixtures.safety import journal
from infra_fixtures.safety.gameday_file import GameDayFile
from infra_fixtures.safety.refused import Refused
from infra_fixtures.safety.stop_conditions import KINDS, from_tables
from infra_fixtures.safety.undo import (
    AskOperator,
    AwsCall,
    AwsCallForEach,
    AwsInTurn,
    AwsUntil,
    ExecutePlan,
    RunCommand,
    Undo,
    Unreadable,
)
from infra_fixtures.standing import TEARDOWN
from infra_fixtures.targets import parts
from infra_fixtures.targets.attach.description import Description
from infra_fixtures.targets.world import World
from infra_fixtures.watchdog import WATCHDOG
from tests.docs.pages import ROOT, Block, as_modules, blocks
from tests.real_world import System
from traffic.contract import Contract

AWS, SCENARIO, FAULT, TARGET = "aws.md", "writing-a-scenario.md", "writing-a-fault.md", "writing-a-target.md"
SAFETY, FIS = "safety.md", "fis.md"
PYTHON = blocks("python")
EXAMPLES = [b for b in PYTHON if not b.is_excerpt]


@pytest.mark.parametrize("block", [b for b in PYTHON if b.is_excerpt], ids=str)
def test_an_excerpt_is_what_the_file_has(block: Block) -> None:
    """To the last character."""
    assert block.body in (ROOT / block.file).read_text()


def test_every_example_is_run_below() -> None:
    """One on another page, or in another file, needs a test of its own."""
    assert sorted((b.page, b.file) for b in EXAMPLES) == [
        (AWS, ""),
        (FIS, ""),
        (SAFETY, ""),
        (FAULT, "infra_fixtures/faults/functions_frozen.py"),
        (FAULT, "tests/infra_fixtures/faults/test_functions_frozen.py"),
        (SCENARIO, "scenarios/test_database_lost_behind_a_slow_link.py"),
        (TARGET, "infra_fixtures/targets/pair.py"),
        (TARGET, "infra_fixtures/targets/pair_options.py"),
    ]


@pytest.mark.slow
def test_type_checker_and_linter_accept_the_examples(tmp_path: Path) -> None:
    """Under the same rules as the code."""
    renamed = {b.module: f"documented_{number}" for number, b in enumerate(EXAMPLES) if b.file}
    for number, block in enumerate(EXAMPLES):
        text = block.body
        for module, name in renamed.items():
            text = text.replace(f"from {module} import", f"from {name} import")
        (tmp_path / f"documented_{number}.py").write_text(text)
    files = sorted(map(str, tmp_path.glob("*.py")))
    checked = [
        _said("mypy", *files),
        _said("ruff", "check", "--config", "pyproject.toml", "--ignore", "D100,I001", *files),
    ]
    assert checked == ["", ""]


def test_the_emulated_account_is_there_for_a_test() -> None:
    """Run as it stands on the page."""
    (block,) = [b for b in EXAMPLES if b.page == AWS]
    exec(compile(block.text, str(block), "exec"), {})


def test_the_scenario_is_collected_and_asks_for_fixtures_that_are_there(tmp_path: Path) -> None:
    """By pytest, with the plugins that a game day has."""
    (block,) = [b for b in EXAMPLES if b.page == SCENARIO]
    (tmp_path / "scenarios").mkdir()
    (tmp_path / block.file).write_text(block.body)
    (tmp_path / "conftest.py").write_text((ROOT / "conftest.py").read_text())
    words = [sys.executable, "-m", "pytest", "--setup-plan", "-q", "-p", "no:cacheprovider", "scenarios"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    told = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    assert "::test_database_lost_behind_a_slow_link (fixtures used: " in told.stdout
    assert "SETUP    F play (fixtures used: " in told.stdout


def test_the_scenario_is_the_same_in_toml(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two blocks of the page are one value, and its test plays it."""
    (module,) = as_modules(SCENARIO, monkeypatch).values()
    (block,) = [b for b in blocks("toml", SCENARIO) if "slow_link" in b.file]
    assert Scenario.from_toml(block.text, source=str(block)) == module.SCENARIO
    played: list[Scenario] = []
    module.test_database_lost_behind_a_slow_link(played.append)
    assert played == [module.SCENARIO]


def test_the_fault_works_both_ways(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's own test of it, on a system of real parts."""
    _, test = as_modules(FAULT, monkeypatch).values()
    test.test_frozen_functions_answer_nobody_until_they_go_on(system)


def test_the_fault_can_be_kept_to_one_zone(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its table in TOML is the value, and that value is journalled, injected and healed."""
    fault_module, _ = as_modules(FAULT, monkeypatch).values()
    (block,) = blocks("toml", FAULT)
    (table,) = tomllib.loads(block.text)["faults"]
    scheduled = _scheduled(table, fault_module.FunctionsFrozen)
    assert scheduled == Scheduled(fault_module.FunctionsFrozen(az="us-east-1a"), for_s=2.5)
    with injected(system.world, scheduled.fault) as effect:
        assert effect.fault == table["fault"]
        (entry,) = system.world.journal.open_entries()
        assert "az='us-east-1a'" in repr(entry.undo)
    assert system.world.journal.open_entries() == []


def test_every_power_has_its_row() -> None:
    """With the struct by which it is undone."""
    text = (ROOT / "docs" / FAULT).read_text()
    powers_there = [name for name, kind in vars(powers).items() if name.endswith("Power") and isinstance(kind, type)]
    undone_by = [
        kind.__name__
        for kind in get_args(Undo)
        if kind not in (AwsCall, AwsCallForEach, AwsUntil, AwsInTurn, ExecutePlan, RunCommand, AskOperator, Unreadable)
    ]
    assert sorted(powers_there) == sorted(re.findall(r"^\| `(\w+)` \| [^`]*\| `\w+` \|$", text, re.MULTILINE))
    assert sorted(undone_by) == sorted(re.findall(r"^\| `\w+` \| [^`]*\| `(\w+)` \|$", text, re.MULTILINE))


def test_every_line_of_a_journal_and_every_stop_condition_has_its_row() -> None:
    """By the words that stand in the files."""
    text = (ROOT / "docs" / SAFETY).read_text()
    words = [str(kind.__struct_config__.tag) for kind in get_args(journal.Line)] + list(KINDS)
    assert not [word for word in words if f"| `{word}` |" not in text]
    assert all(f"`{who}`" in text for who in (HARNESS, TEARDOWN, WATCHDOG))


def test_every_member_of_a_world_has_its_row() -> None:
    """And every part there is."""
    text = (ROOT / "docs" / TARGET).read_text()
    members = [
        name
        for name, kind in vars(World).items()
        if not name.startswith("_") and (callable(kind) or isinstance(kind, property))
    ]
    assert not [name for name in members if f"`{name}`" not in text]
    assert not [
        name for name in vars(parts) if name.endswith("Part") and name != "MissingPart" and f"`{name}`" not in text
    ]


def test_the_guard_refuses_what_its_scope_does_not_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of its window, and with credentials of nobody."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")
    (block,) = blocks("python", SAFETY)
    found: dict[str, Any] = {}
    exec(compile(block.text, str(block), "exec", dont_inherit=True), found)
    functions = found["session"].client("lambda", "eu-west-1", endpoint_url="http://127.0.0.1:9")
    with pytest.raises(Refused, match="lambda PutFunctionConcurrency in eu-west-1 was not done"):
        functions.put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=0)


def test_every_block_of_toml_is_understood() -> None:
    """By whoever reads such a file; those of faults and scenarios are read above."""
    for block in blocks("toml"):
        tables = tomllib.loads(block.text)
        match block.page:
            case "workload.md":
                msgspec.convert(tables, Contract)
            case "gameday-file.md":
                assert GameDayFile.parse(block.text, source=str(block)).accounts
            case "safety.md":
                assert from_tables(tables["stop"])
            case "writing-a-scenario.md" if block.file == "objectives.toml":
                assert _is_within(tables, tomllib.loads((ROOT / block.file).read_text()))
            case "attach.md":
                assert block.file or msgspec.convert(tables, Description)
            case "fis-templates.md" | "chaos-toolkit.md":
                assert Schedule.from_tables(tables["faults"], source=str(block)).faults
            case page:
                assert page in (SCENARIO, FAULT), f"{block} is read by nobody"
                assert "faults" in tables


def test_every_setting_of_a_scenario_is_explained() -> None:
    """Of the scenario and of a fault's table."""
    text = (ROOT / "docs" / SCENARIO).read_text()
    assert not [name for name in Settings.__struct_fields__ if f"`{name}`" not in text]
    times = [name for name in Scheduled.__struct_fields__ if name != "fault"]
    assert not [name for name in times if f"| `{name}` |" not in text]


def _scheduled(table: Mapping[str, Any], kind: type[Fault]) -> Scheduled:
    times = {k: v for k, v in table.items() if k in Scheduled.__struct_fields__ and k != "fault"}
    fault = msgspec.convert({k: v for k, v in table.items() if k not in times}, type=kind)
    return Scheduled(fault, **times)


def _is_within(part: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:
    return all(
        _is_within(value, whole[name]) if isinstance(value, dict) else whole[name] == value
        for name, value in part.items()
    )


def _said(tool: str, *words: str) -> str:
    """What a tool has to say against it, "" where it has nothing."""
    told = subprocess.run(
        [sys.executable, "-m", tool, *words], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    return "" if told.returncode == 0 else told.stdout + told.stderr
