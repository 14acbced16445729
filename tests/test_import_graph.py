"""Imports flow one way: no arrow leads back, and no circle is closed, between packages, rooms and modules.

Every import counts, also one inside a function or under TYPE_CHECKING: it says who knows whom. What is started by its
name (`python -m`, a row of TARGETS) is no import.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = (
    "conftest", "tests", "benchmarks", "scenarios", "gameday", "reports", "traffic", "probes", "infra_fixtures", "drill"
)  # fmt: skip

ORDER = (
    ("conftest", "tests.benchmarks"),
    ("benchmarks",),
    ("tests",),
    ("scenarios",),
    ("gameday",),
    ("reports", "probes"),
    ("infra_fixtures.__main__",),
    ("infra_fixtures.running_topology", "infra_fixtures.needs", "infra_fixtures.usage"),
    ("infra_fixtures.standing",),
    ("infra_fixtures.watchdog",),
    ("infra_fixtures.orphan_runs",),
    ("infra_fixtures.planning",),
    ("infra_fixtures.faults", "infra_fixtures.preflight"),
    ("infra_fixtures.targets",),
    ("infra_fixtures.provision", "infra_fixtures.control_plane", "infra_fixtures.data_plane"),
    ("infra_fixtures.workload",),
    ("infra_fixtures.internal_api",),
    ("infra_fixtures.safety",),
    ("infra_fixtures.processes",),
    ("infra_fixtures.powers",),
    ("infra_fixtures.link_rule",),
    ("infra_fixtures.topology", "infra_fixtures.aws_models", "infra_fixtures.gate", "infra_fixtures.permissions"),
    ("infra_fixtures.run_layout", "infra_fixtures.pace", "infra_fixtures.global_services"),
    ("infra_fixtures.access",),
    ("infra_fixtures",),
    ("traffic",),
    ("drill",),
)
"""Each line may import the lines below it; rooms of one line do not import each other."""

STRANGERS = (
    ("infra_fixtures.faults", "probes"),
    ("probes", "infra_fixtures.faults"),
    ("reports", "infra_fixtures"),
    ("reports", "traffic"),
)
"""What the order would allow, and is not: the first does not import anything of the second."""

Graph = Mapping[str, set[str]]


def import_graph(root: Path, packages: Iterable[str] = PACKAGES) -> Graph:
    """Every module below `root` and the modules of these packages that it imports, wherever the import stands."""
    files: dict[str, Path] = {}
    for package in packages:
        for path in (*root.glob(f"{package}.py"), *sorted((root / package).rglob("*.py"))):
            parts = path.relative_to(root).with_suffix("").parts
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {m: {t for t in _imported(m, path, files) if t != m} for m, path in files.items()}


def _imported(module: str, path: Path, files: Mapping[str, Path]) -> Iterator[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name in files)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*parents, *([node.module] if node.module else [])])
            for alias in node.names:
                yield from [m for m in (f"{source}.{alias.name}", source) if m in files][:1]


def room_of(module: str, rooms: Iterable[str]) -> str | None:
    """The longest of `rooms` that the module is, or is in; a package with rooms is one only by its own `__init__`."""
    found = [r for r in rooms if module == r or (module.startswith(f"{r}.") and r != "infra_fixtures")]
    return max(found, key=len, default=None)


def arrows_back(graph: Graph, order: tuple[tuple[str, ...], ...] = ORDER) -> list[str]:
    """Each import that does not lead down the order, as a sentence."""
    level = {room: number for number, line in enumerate(order) for room in line}
    found = []
    for module, targets in graph.items():
        for target in targets:
            here, there = room_of(module, level), room_of(target, level)
            if here is not None and there is not None and here != there and level[here] >= level[there]:
                found.append(f"{module} imports {target}: {here} may not import {there}")
    return sorted(found)


def circles(graph: Graph) -> list[list[str]]:
    """The sets of modules that import each other, directly or not (R. Tarjan, strongly connected components)."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        stack.append(module)
        for target in graph.get(module, ()):
            if target not in number:
                visit(target)
            if target in stack:
                lowest[module] = min(lowest[module], lowest[target])
        if lowest[module] == number[module]:
            members = stack[stack.index(module) :]
            del stack[-len(members) :]
            if len(members) > 1:
                found.append(sorted(members))

    for module in graph:
        if module not in number:
            visit(module)
    return found


@pytest.fixture(scope="module")
def graph() -> Graph:
    """The imports of this repository."""
    return import_graph(ROOT)


def test_no_arrow_leads_back(graph: Graph) -> None:
    """Packages, and the rooms of infra_fixtures, import only what stands below them."""
    assert not arrows_back(graph)


def test_no_modules_import_each_other(graph: Graph) -> None:
    """There is no circle of modules, also none that only a function or a type checker closes."""
    assert not circles(graph)


def test_every_module_has_its_place_in_the_order(graph: Graph) -> None:
    """A new room is put into ORDER by whoever makes it."""
    rooms = [room for line in ORDER for room in line]
    assert not sorted({m for m in graph if room_of(m, rooms) is None})


def test_some_never_know_each_other(graph: Graph) -> None:
    """Faults and probes stay apart, and reports know nothing but records."""
    for one, other in STRANGERS:
        inside = [m for m in graph if m == one or m.startswith(f"{one}.")]
        assert not [(m, t) for m in inside for t in graph[m] if t == other or t.startswith(f"{other}.")]


def test_commands_are_imported_by_tests_alone(graph: Graph) -> None:
    """What a `__main__` holds is for the command line; what others need has a module of its own."""
    users = {m: [t for t in targets if t.endswith(".__main__")] for m, targets in graph.items()}
    assert not {m: found for m, found in users.items() if found and not m.startswith("tests.")}


@pytest.mark.parametrize(
    "hidden",
    [
        "def late():\n    from pair import one\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pair.one import a\n",
        "from . import one\n",
        "from .one import a\n",
        "import pair.one\n",
    ],
)
def test_a_circle_is_found_however_it_is_closed(tmp_path: Path, hidden: str) -> None:
    """In a function, for the type checker, or by a relative import."""
    (tmp_path / "pair").mkdir()
    (tmp_path / "pair" / "__init__.py").write_text("")
    (tmp_path / "pair" / "one.py").write_text("from pair.two import late\n")
    (tmp_path / "pair" / "two.py").write_text(hidden)
    assert circles(import_graph(tmp_path, ["pair"])) == [["pair.one", "pair.two"]]


def test_an_arrow_back_is_found() -> None:
    """Upwards and sideways, and only those."""
    order = (("top",), ("left", "right"), ("base",))
    graph = {"top": {"left.a", "base"}, "left.a": {"right.b", "base"}, "right.b": set(), "base": {"top"}}
    assert arrows_back(graph, order) == [
        "base imports top: base may not import top",
        "left.a imports right.b: left may not import right",
    ]
