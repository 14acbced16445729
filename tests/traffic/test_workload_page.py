"""docs/workload.md says all that may stand in a description, and its example is one."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import msgspec
import pytest

from traffic import contract
from traffic.contract_file import read_contract
from traffic.load_options import add_load_options

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "workload.md").read_text()
TABLES = [kind for kind in vars(contract).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]


def test_the_example_is_the_file_that_the_nightly_test_reads(tmp_path: Path) -> None:
    """To the last value."""
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "example.toml"
    path.write_text(example)
    assert read_contract(path) == read_contract(ROOT / "tests" / "workload" / "kinto.toml")


@pytest.mark.parametrize("name", sorted({field for kind in TABLES for field in kind.__struct_fields__}))
def test_every_name_of_a_description_is_explained(name: str) -> None:
    """A field that is not on the page is one that nobody finds."""
    assert re.search(rf"`(\w+\.)*{name}(\.\w+)*( = true)?`", PAGE), f"docs/workload.md says nothing of {name}"


def test_every_option_of_the_load_is_explained() -> None:
    """The same for the command line."""
    parser = argparse.ArgumentParser(add_help=False)
    add_load_options(parser.add_argument)
    options = [flag for action in parser._actions for flag in action.option_strings]
    assert options
    assert all(f"| `{flag} " in PAGE for flag in options)
