"""The description of an attached system: every mistake is one sentence, and what it says becomes faults and parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli_w

from drill.unusable import UnusableInput
from infra_fixtures.faults.command import CommandFault
from infra_fixtures.faults.operator import OperatorFault
from infra_fixtures.faults.schedule import Schedule
from infra_fixtures.safety.way import Way
from infra_fixtures.targets.attach.description import Description
from infra_fixtures.targets.attach.place import password, regions_by_address

WHOLE: dict[str, Any] = {
    "name": "orders",
    "workload": "orders.toml",
    "service": {"url": "http://orders.example:8080", "dns": "127.0.0.1:5353"},
    "primary": {"name": "left", "url": "http://127.0.7.1:8080"},
    "standby": {"name": "right", "url": "http://127.0.7.2:8080"},
    "break": {"command": ["stop", "it"]},
    "heal": {"command": "start it", "environment": ["TOKEN"]},
}


def read(tmp_path: Path, **changed: Any) -> Description:
    """The whole with other tables in place of its own; None: without it."""
    path = tmp_path / "system.toml"
    path.write_text(tomli_w.dumps({k: v for k, v in {**WHOLE, **changed}.items() if v is not None}))
    return Description.read(path)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"name": 3}, "name: Expected `str`, got `int`"),
        ({"workload": None}, "missing required field `workload`"),
        ({"colour": "red"}, "unknown field `colour`"),
        ({"service": {"url": "orders.example"}}, "service.url 'orders.example' is no URL of the form http://name:port"),
        ({"service": {"url": "http://a:99999"}}, "service.url 'http://a:99999' is no URL"),
        ({"service": {"url": "http://a", "dns": "here:dns"}}, "service.dns 'here:dns' is not HOST:PORT"),
        ({"primary": {"name": "left"}}, "primary: Object missing required field `url`"),
        ({"primary": {"name": "a b", "url": "http://a"}}, "primary.name: Expected `str` matching regex"),
        ({"standby": {"name": "left", "url": "http://b"}}, "primary.name and standby.name are the same"),
        ({"rate": 60.0}, "rate 60 is above rate_cap 50: lower it"),
        ({"rate_cap": 0}, "rate_cap: Expected `float` > 0"),
        ({"heal": None}, "break has a command and there is no [heal]"),
        ({"break": None}, "there is a table [heal] and no [break]"),
        ({"break": {}}, "break: give exactly one of command, operator and fault"),
        ({"break": {"command": "a", "operator": "b"}}, "break: give exactly one of"),
        ({"break": {"command": "a", "heal": {}}}, "break.heal: write it as a table of its own"),
        ({"heal": {}}, "heal: give exactly one of command and operator"),
        ({"heal": {"command": []}}, "heal.command: Expected `array` of length >= 1"),
        ({"heal": {"command": "a", "timeout_s": 0}}, "heal.timeout_s: Expected `float` > 0"),
        ({"failover": {"command": "a", "when": 1}}, "failover: Object contains unknown field `when`"),
        ({"failback": "never"}, "failback: Invalid enum value 'never'"),
    ],
)
def test_each_mistake_is_one_sentence(tmp_path: Path, changed: dict[str, Any], sentence: str) -> None:
    """It names the file, the table, and how to mend it."""
    with pytest.raises(UnusableInput) as refused:
        read(tmp_path, **changed)
    assert str(refused.value).startswith(f"{tmp_path / 'system.toml'}: ")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_no_file_of_that_kind_is_named(tmp_path: Path) -> None:
    """One that is not there, and one that is no TOML."""
    with pytest.raises(UnusableInput, match=r"none.toml is not there: give the TOML file"):
        Description.read(tmp_path / "none.toml")
    (tmp_path / "system.toml").write_bytes(b"\xff")
    with pytest.raises(UnusableInput, match="is no TOML file"):
        Description.read(tmp_path / "system.toml")


def test_what_breaks_and_heals_becomes_a_fault(tmp_path: Path) -> None:
    """A command with a command to heal; without [failover] roles are given back with it."""
    found = Schedule.from_tables(list(read(tmp_path, failback={"operator": "Move back"}).faults()), source="it")
    assert found.main.fault == CommandFault(
        ("stop", "it"), Way("start it", environment=("TOKEN",)), Way(operator="Move back")
    )
    assert len(found.faults) == 1


def test_a_failover_comes_after_the_fault_and_gives_roles_back(tmp_path: Path) -> None:
    """By whom it is done is its own matter; the fault stays the main one."""
    told = read(tmp_path, failover={"operator": "Promote right", "after_s": 4.0}, failback={"command": "back"})
    broken, moved = Schedule.from_tables(list(told.faults()), source="it").faults
    assert broken.main
    assert (moved.at_s, moved.main) == (4.0, False)
    assert moved.fault == OperatorFault("Promote right", Way("back"), roles=True)
    by_command = read(tmp_path, failover={"command": ["promote"]})
    assert Schedule.from_tables(list(by_command.faults()), source="it").faults[1].fault == CommandFault(
        ("promote",), roles=True
    )


def test_any_fault_can_be_named(tmp_path: Path) -> None:
    """[break] takes a table of `[[faults]]`, which says itself how it is healed."""
    told = read(tmp_path, **{"break": {"fault": "nothing"}, "heal": None})
    assert told.faults() == ({"fault": "nothing", "main": True},)
    assert read(tmp_path, **{"break": None, "heal": None}).faults() == ()


def test_addresses_tell_which_site_was_reached(tmp_path: Path) -> None:
    """Those of the URLs, or those that are named; one that leads to both tells nothing."""
    assert regions_by_address(read(tmp_path)) == {"127.0.7.1": "left", "127.0.7.2": "right"}
    own = {"name": "left", "url": "http://127.0.7.1", "addresses": ["198.51.100.7", "127.0.7.2"]}
    assert regions_by_address(read(tmp_path, primary=own)) == {"198.51.100.7": "left"}
    with pytest.raises(UnusableInput, match=r"the site left has no address: no-such-host\.invalid cannot be resolved"):
        regions_by_address(read(tmp_path, primary={"name": "left", "url": "http://no-such-host.invalid"}))


def test_a_password_is_read_from_where_it_is(tmp_path: Path) -> None:
    """A variable or a file; a description with none, or with two, is a mistake."""
    database = {"host": "127.0.7.1", "dbname": "orders", "user": "reader"}
    site = {"name": "left", "url": "http://127.0.7.1"}
    by_variable = read(tmp_path, primary={**site, "database": {**database, "password_env": "LEFT"}}).primary
    assert password(by_variable, tmp_path, {"LEFT": "hush"}) == "hush"
    with pytest.raises(UnusableInput, match="set LEFT: the password of the database of left"):
        password(by_variable, tmp_path, {})
    (tmp_path / "secret").write_text("quiet\n")
    by_file = read(tmp_path, primary={**site, "database": {**database, "password_file": "secret"}}).primary
    assert password(by_file, tmp_path, {}) == "quiet"
    with pytest.raises(UnusableInput, match="exactly one of password_env and password_file"):
        read(tmp_path, primary={**site, "database": database})


def test_the_digest_is_of_what_stands_there(tmp_path: Path) -> None:
    """The same for the same description, another for another."""
    assert read(tmp_path).digest == read(tmp_path).digest != read(tmp_path, rate=20.0).digest
