"""What every target's options have in common: one may be several targets', and a file's content is kept with its path."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from drill.unusable import UnusableInput
from infra_fixtures.targets import TARGETS, Target, add_options, is_guarded, read_options
from infra_fixtures.targets.guard_options import GUARD_OPTIONS
from infra_fixtures.targets.target_config import Option


def test_targets_may_share_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command line has each once; a target that has the guard's is one of real accounts, and no other is."""
    for name in ("one", "two"):
        monkeypatch.setitem(TARGETS, name, Target("tests.infra_fixtures.planning.account_target", GUARD_OPTIONS))
    parser = argparse.ArgumentParser()
    add_options(parser.add_argument)
    assert parser.parse_args(["--yes", "123456789012"]).dry_run is False
    assert is_guarded("one", {})
    assert not is_guarded("embedded", {})
    assert not is_guarded("localstack", {})


def test_a_file_is_kept_with_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever heals is told what it said then; one that cannot be read is refused at once."""
    monkeypatch.setitem(TARGETS, "one", Target("nowhere", (Option("--gameday", "", content=True),)))
    path = tmp_path / "gameday.toml"
    path.write_text('ticket = "CHG-1"\n')
    assert read_options("one", {"gameday": str(path)}.get) == {
        "gameday": {"path": str(path), "text": 'ticket = "CHG-1"\n'}
    }
    assert read_options("one", {"gameday": None}.get) == {"gameday": None}
    with pytest.raises(UnusableInput, match="is not there"):
        read_options("one", {"gameday": str(tmp_path / "other")}.get)
