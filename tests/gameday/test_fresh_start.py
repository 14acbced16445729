"""Whether a command line plays scenarios: told by its paths, and without any by where pytest is started."""

from __future__ import annotations

import pytest

from gameday.fresh_start import SCENARIOS, plays_scenarios

ONE = "test_nothing_broken.py"


@pytest.mark.parametrize(
    ("started_in", "words", "plays"),
    [
        ("scenarios", [], True),
        ("scenarios", ["-q"], True),
        ("scenarios", [f"{ONE}::test_nothing_broken"], True),
        ("scenarios", ["../tests"], False),
        (".", [], False),
        (".", ["-q"], False),
        (".", ["scenarios", "--workers=1"], True),
        (".", ["tests", f"scenarios/{ONE}"], True),
        (".", [str(SCENARIOS)], True),
        ("tests", ["../scenarios"], True),
        (".", ["tests"], False),
    ],
)
def test_scenarios_are_played_where_a_path_or_the_directory_is_theirs(
    monkeypatch: pytest.MonkeyPatch, started_in: str, words: list[str], plays: bool
) -> None:
    """Options are no paths; a path that leads away from the directory counts more than the directory."""
    monkeypatch.chdir(SCENARIOS.parent / started_in)
    assert plays_scenarios(words) is plays
