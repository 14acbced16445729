"""docs/architecture.md says what is so: the order of imports, the folders, and the files that any page names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import FENCE, PAGES, ROOT
from tests.test_import_graph import ORDER, STRANGERS

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
PLACE = re.compile(r"`([a-z_]+(?:/[\w.-]+)+/?|[a-z_]+/)`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)[^)]*\)")
IGNORED = ("reports/runs", "allure-report/", "allure-results/")
"""What runs and builds make; no repository has it."""


def test_the_order_of_imports_is_the_one_that_is_enforced() -> None:
    """Line by line."""
    (order,) = (text for _, text in FENCE.findall(ARCHITECTURE) if text.startswith("conftest"))
    assert [tuple(line.split(", ")) for line in order.splitlines()] == list(ORDER)


def test_who_never_knows_whom_is_told() -> None:
    """Each pair that the order would allow stands in the sentence about it."""
    told = ARCHITECTURE.partition("It also keeps apart")[2].partition("\n\n")[0]
    assert {name for pair in STRANGERS for name in pair} == set(re.findall(r"`([a-z_.]+)`", told))


def test_every_room_has_a_row() -> None:
    """A new folder of Python is explained by whoever makes it."""
    rooms = {
        f"{path.parent.relative_to(ROOT)}/"
        for path in (*ROOT.glob("*/__init__.py"), *ROOT.glob("infra_fixtures/*/__init__.py"))
    }
    rows = set(re.findall(r"`([\w/]+/)`", ARCHITECTURE.partition("## Folders")[2]))
    assert rooms - rows == {"infra_fixtures/", "tests/"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page: Path) -> None:
    """Files and folders in backquotes, and links to other pages."""
    text = FENCE.sub("", page.read_text())
    places = [place for place in PLACE.findall(text) if not place.startswith(IGNORED)]
    assert not [place for place in places if not (ROOT / place).exists()]
    assert not [link for link in LINK.findall(text) if not (page.parent / link).exists()]
