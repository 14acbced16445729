"""`--repeat N`: each chosen scenario N times on fresh topologies. Each run is a test, a directory and a verdict of its own;
what all of them together show is judged at the end (drill/repetition.py)."""

from __future__ import annotations

import pytest

from gameday.numbers import whole_number


def repeat_of(config: pytest.Config) -> int:
    """How often each scenario is to be run; raises UnusableInput."""
    return whole_number("--repeat", config.getoption("--repeat"), least=1)


@pytest.fixture
def repetition(request: pytest.FixtureRequest) -> int:
    """Which run of its scenario this is, from 1."""
    return int(getattr(request, "param", 1))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test for each run of a scenario."""
    if "repetition" not in metafunc.fixturenames or (times := repeat_of(metafunc.config)) == 1:
        return
    numbers = range(1, times + 1)
    metafunc.parametrize("repetition", numbers, indirect=True, ids=[_id(n) for n in numbers])


def scenario_of(node: pytest.Item, repetition: int) -> str:
    """The scenario's name: the test's, without the number of the run."""
    name, _, parameters = node.name.removeprefix("test_").rstrip("]").partition("[")
    others = "-".join(p for p in parameters.split(_id(repetition)) if p).strip("-").replace("--", "-")
    return f"{name}[{others}]" if others else name


def _id(repetition: int) -> str:
    return f"run-{repetition:03d}"
