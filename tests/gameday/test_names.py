"""Objectives for a scenario or target that is not there are refused; names come of the files that hold scenarios."""

from __future__ import annotations

from pathlib import Path

import pytest

from drill.objective import resolve_objectives
from drill.unusable import UnusableInput
from gameday.names import refuse_unknown, refuse_unknown_parameters, scenario_names
from infra_fixtures.run_layout import REPOSITORY

pytest_plugins = ("pytester",)

OWN = """
import pytest

class TestMine:
    def test_zone_lost(self): ...

@pytest.mark.parametrize("region", ["us-east-1", "us-west-2"])
def test_key_disabled(region): ...
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A user's scenarios, one file of which cannot be parsed."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "test_own.py").write_text(OWN)
    (tmp_path / "test_half.py").write_text("def test_(")
    (tmp_path / "notes.py").write_text("def test_not_collected(): ...")
    return tmp_path


def test_names_are_those_of_the_tests_in_the_files(own: Path) -> None:
    """A user's own scenario is known by its file; whatever pytest would not collect is not."""
    assert scenario_names(own) == {"zone_lost", "key_disabled"}
    assert {"primary_region_lost", "nothing_broken"} <= scenario_names(REPOSITORY / "scenarios")


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"scenario": {"zone_lots": {}}}, "there is no scenario zone_lots; did you mean zone_lost?"),
        ({"scenario": {"key_disable[us-east-1]": {}}}, "did you mean key_disabled?"),
        ({"target": {"embeded": {}}}, "there is no target embeded; did you mean embedded?"),
        ({"scenario": {"x": {}}}, "known are key_disabled, zone_lost"),
    ],
)
def test_a_misspelt_table_is_refused_with_the_nearest_name(own: Path, tables: dict[str, object], said: str) -> None:
    """The sentence names the file, the table's name, and the one that was meant."""
    with pytest.raises(UnusableInput) as caught:
        refuse_unknown(tables, targets=["embedded", "aws"], scenarios=scenario_names(own), source="o.toml")
    assert str(caught.value).startswith("o.toml: ")
    assert said in str(caught.value)


def test_tables_of_what_is_there_are_accepted(own: Path) -> None:
    """By the plain name, and by the name with parameters; the first that is not there is the one refused."""
    scenarios: dict[str, object] = {"zone_lost": {}, "key_disabled": {}, "key_disabled[us-east-1]": {}}
    tables = {"target": {"aws": {}}, "scenario": scenarios}
    refuse_unknown(tables, targets=["embedded", "aws"], scenarios=scenario_names(own), source="o.toml")
    scenarios["zone_lots"] = {}
    with pytest.raises(UnusableInput, match="there is no scenario zone_lots"):
        refuse_unknown(tables, targets=["embedded", "aws"], scenarios=scenario_names(own), source="o.toml")


def test_parameters_are_known_once_collected(pytester: pytest.Pytester) -> None:
    """Those of a collected scenario must be among its own; of others nothing is known."""
    items = pytester.getitems(OWN)
    for name in ("key_disabled[us-west-2]", "key_disabled", "other[us-west-2]"):
        refuse_unknown_parameters({"scenario": {name: {}}}, items, source="o.toml")
    with pytest.raises(UnusableInput, match=r"did you mean key_disabled\[us-west-2\]"):
        refuse_unknown_parameters({"scenario": {"key_disabled[us-west-3]": {}}}, items, source="o.toml")


def test_the_table_of_a_name_counts_for_its_parameters_which_may_override_it() -> None:
    """[scenario.NAME] first, then [scenario.'NAME[parameters]']."""
    tables = {"scenario": {"lost": {"rto_s": 5, "rpo_s": 2}, "lost[us-west-2]": {"rto_s": 9}}}
    east, west = (
        resolve_objectives(tables, "", f"lost[{region}]", source="o.toml") for region in ("us-east-1", "us-west-2")
    )
    assert (east.rto_s, west.rto_s, west.rpo_s) == (5, 9, 2)
