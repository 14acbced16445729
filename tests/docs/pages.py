"""The pages of the documentation and the blocks of code in them.

A block may begin with a comment that names a file. Where the repository has that file, the block is an excerpt of it; where
it has not, the block is a whole example, which `as_modules` imports under the name that it would have there.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"# ([\w/]+\.\w+)\n")


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code: on which page and line, in which language."""

    page: str
    line: int
    language: str
    text: str

    @property
    def file(self) -> str:
        """The file that its first line names, "" where it names none."""
        named = NAMED.match(self.text)
        return named[1] if named else ""

    @property
    def body(self) -> str:
        """Its text without that line."""
        return NAMED.sub("", self.text, count=1) if self.file else self.text

    @property
    def is_excerpt(self) -> bool:
        """Whether the repository has the file."""
        return bool(self.file) and (ROOT / self.file).exists()

    @property
    def module(self) -> str:
        """The name by which other examples import it."""
        return self.file.removesuffix(".py").replace("/", ".")

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(language: str, page: str = "") -> list[Block]:
    """Those of a language, on all pages or one."""
    return [b for b in _all() if b.language == language and page in ("", b.page)]


def _all() -> Iterator[Block]:
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for found in FENCE.finditer(text):
            yield Block(path.name, text.count("\n", 0, found.start()) + 1, found[1], found[2])


def as_modules(page: str, patch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The whole Python examples of a page, by their files, imported in the order in which they stand."""
    found: dict[str, ModuleType] = {}
    for block in blocks("python", page):
        if block.file and not block.is_excerpt:
            # Its own name keeps a fault of an example out of the catalogue.
            module = ModuleType(f"documented.{block.module}")
            patch.setitem(sys.modules, module.__name__, module)
            patch.setitem(sys.modules, block.module, module)
            exec(compile(block.body, str(block), "exec", dont_inherit=True), module.__dict__)
            found[block.file] = module
    return found
