"""Every command that a page shows exists, with every option that it is given."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

import drill.__main__
import infra_fixtures.__main__
import reports.__main__
import scenarios.__main__
import traffic.manifests
from gameday.options import add_options
from infra_fixtures.faults.catalogue import catalogue
from tests.docs.pages import PAGES, ROOT, Block, blocks

MAINS: dict[str, Callable[[list[str]], object]] = {
    "drill": drill.__main__.main,
    "infra_fixtures": infra_fixtures.__main__.main,
    "reports": reports.__main__.main,
    "scenarios": scenarios.__main__.main,
    "traffic.manifests": traffic.manifests.main,
}
MAKEFILE = (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_lines_to_paste_are_commands(block: Block) -> None:
    """A target of make with variables that it knows, or one of ours with its options."""
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["make"]:
            assert f"\n{words[1]}:" in MAKEFILE, line
            assert {w.partition("=")[0] for w in words[2:]} <= set(_variables()), line
        elif words:
            assert words[:2] == [".venv/bin/python", "-m"], line
            _check(words[2], words[3:], line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_in_the_text_are_there(page: Path) -> None:
    """`python -m x y` in a sentence."""
    for module, command, rest in re.findall(r"`(?:\.venv/bin/)?python -m (\w+) ?([a-z]*)([^`]*)`", page.read_text()):
        if module in MAINS:
            _check(module, [*([command] if command else []), *rest.replace("|", " ").split()], module)


def _variables() -> list[str]:
    given = re.search(r"^GIVEN := (.*)$", MAKEFILE, re.MULTILINE)
    assert given
    return [*given[1].split(), "RUN"]


def _check(module: str, words: list[str], line: str) -> None:
    flags = [word.partition("=")[0] for word in words if word.startswith("--")]
    if module == "pytest":
        known: list[str] = []
        add_options(lambda flag, **_: known.append(flag))
        assert set(flags) <= {*known, "--collect-only", "--endpoint-url"}, line
        assert all((ROOT / w).exists() for w in words[:1]), line
        return
    assert module in MAINS, line
    told = _help(module, *words[:1])
    assert all(re.search(rf"{flag}\b", told) for flag in flags), line


def _help(module: str, *command: str) -> str:
    """What the command says of itself; argparse ends with status 2 where it does not know it."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), pytest.raises(SystemExit) as ended:
        MAINS[module]([*(w for w in command if not w.startswith("-")), "--help"])
    assert ended.value.code == 0
    return said.getvalue()


def test_every_fault_is_listed_with_what_its_table_may_hold(capsys: pytest.CaptureFixture[str]) -> None:
    """Its parameters, and those of a table within, such as a link's rule."""
    assert scenarios.__main__.main(["faults"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name, kind in catalogue().items():
        assert any(line.startswith(f"{name}: ") for line in lines)
        assert all(any(line.startswith(f"    {field}: ") for line in lines) for field in kind.__struct_fields__)
    assert "        direction: Literal['up', 'down', 'both'] = 'both'" in lines
