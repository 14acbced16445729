"""An experiment's method breaks, its rollbacks take back, and what of it failed is neither injected nor healed."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from drill.unusable import UnusableInput
from infra_fixtures.faults.chaos_toolkit_method import ChaosToolkitMethod, read_experiment
from infra_fixtures.faults.fault import InjectedFault, require
from infra_fixtures.safety.bounded_command import CommandFailed
from infra_fixtures.safety.chaos_run import main as run_checked
from infra_fixtures.safety.heal import HealingFailed
from infra_fixtures.safety.journal import Journal
from tests.installation import programs_of


class Place:
    """A world that is nothing but a journal."""

    target, primary, standby = "attach", "us-east-1", "us-west-2"

    def __init__(self, directory: Path) -> None:
        self.journal = Journal(directory)

    def part(self, kind: type) -> Any:
        """None."""
        return None

    def healing(self) -> contextlib.AbstractContextManager[None]:
        """Nobody guards it."""
        return contextlib.nullcontext()


@pytest.fixture
def world(tmp_path: Path) -> Any:
    """Its journal is beside the experiment."""
    return Place(tmp_path / "run")


def _touch(name: str, path: Path, *, code: str = "") -> dict[str, Any]:
    """An action that makes a file, and then runs some Python."""
    script = f"import pathlib, sys; pathlib.Path({str(path)!r}).touch(); {code}"
    provider = {"type": "process", "path": sys.executable, "arguments": ["-c", script]}
    return {"type": "action", "name": name, "provider": provider}


def _experiment(path: Path, **what: Any) -> str:
    whole = {"version": "1.0.0", "title": "t", "description": "d", "method": [], "rollbacks": [], **what}
    path.write_text(json.dumps(whole))
    return str(path)


@pytest.mark.nightly
@pytest.mark.timeout(300)
def test_a_method_breaks_and_its_rollbacks_take_back(world: Any, tmp_path: Path) -> None:
    """By the real program; the fault took effect while its actions ran, and not while Chaos Toolkit came up."""
    broken, healed = tmp_path / "broken", tmp_path / "healed"
    file = _experiment(
        tmp_path / "experiment.json",
        method=[_touch("break", broken, code="import time; time.sleep(0.3)")],
        rollbacks=[_touch("take back", healed)],
    )
    fault = InjectedFault(world, ChaosToolkitMethod(file, program=str(programs_of("chaostoolkit", "run") / "chaos")))
    began = time.monotonic_ns()
    effect = fault.inject()
    ended = time.monotonic_ns()
    assert broken.exists()
    assert not healed.exists()
    assert began <= effect.began_ns < effect.effective_ns <= ended
    assert 0.3 <= (effect.effective_ns - effect.began_ns) / 1e9 < (ended - began) / 1e9
    fault.heal()
    assert healed.exists()
    assert not world.journal.open_entries()


@pytest.mark.nightly
@pytest.mark.timeout(300)
def test_what_failed_is_neither_injected_nor_healed(world: Any, tmp_path: Path) -> None:
    """Chaos Toolkit itself says that both experiments were completed."""
    raising = {
        "type": "action",
        "name": "no such function",
        "provider": {"type": "python", "module": "os", "func": "rmdir", "arguments": {"path": "/no/such"}},
    }
    file = _experiment(tmp_path / "experiment.json", method=[raising], rollbacks=[raising])
    fault = InjectedFault(world, ChaosToolkitMethod(file, program=str(programs_of("chaostoolkit", "run") / "chaos")))
    with pytest.raises(CommandFailed, match="no such function failed"):
        fault.inject()
    with pytest.raises(HealingFailed):
        fault.heal()
    assert len(world.journal.open_entries()) == 1


@pytest.mark.parametrize(
    ("journal", "status"),
    [
        ({"status": "completed", "run": [{"activity": {"name": "a"}, "status": "succeeded"}]}, 0),
        ({"status": "completed", "run": [{"activity": {"name": "a"}, "status": "failed"}]}, 1),
        ({"status": "completed", "run": []}, 1),
        ({"status": "interrupted", "run": [{"activity": {"name": "a"}, "status": "succeeded"}]}, 1),
        ({}, 1),
        (None, 1),
    ],
)
def test_only_a_journal_of_successes_is_success(tmp_path: Path, journal: Any, status: int) -> None:
    """A program that ends with status 0 and writes such a journal; no journal is no success, nor is one of before."""
    path = tmp_path / "journal.json"
    path.write_text('{"status": "completed", "run": [], "experiment": {"method": []}}')
    whole = "" if journal is None else json.dumps({"experiment": {"method": [{}]}, **journal})
    writes = f"import pathlib; {whole!r} and pathlib.Path({str(path)!r}).write_text({whole!r})"
    assert run_checked(str(path), sys.executable, "-c", writes) == status


def test_the_programs_own_failure_is_told(tmp_path: Path) -> None:
    """Its status goes before all."""
    assert run_checked(str(tmp_path / "j"), sys.executable, "-c", "raise SystemExit(7)") == 7


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"method": [_touch("a", Path("x"))]}, "no rollbacks"),
        ({"method": []}, "does nothing"),
        ({"method": "break it"}, "as its method"),
        (
            {
                "method": [_touch("a", Path("x"))],
                "rollbacks": [_touch("b", Path("x"))],
                "secrets": {"g": {"key": "hush"}},
            },
            "hush",
        ),
    ],
)
def test_an_experiment_that_cannot_be_played_is_refused(
    world: Any, tmp_path: Path, what: dict[str, Any], words: str
) -> None:
    """Before anything is journalled; a secret in it is named and not told."""
    fault = ChaosToolkitMethod(_experiment(tmp_path / "e.json", **what), program=sys.executable)
    with pytest.raises(UnusableInput) as refused:
        InjectedFault(world, fault)
    assert ("the secret key stands" in str(refused.value)) if words == "hush" else (words in str(refused.value))
    assert "hush" not in str(refused.value)
    assert not world.journal.open_entries()


def test_yaml_is_read_as_well(tmp_path: Path) -> None:
    """And what is neither is refused."""
    path = tmp_path / "e.yaml"
    path.write_text("method:\n- type: action\n  name: a\n")
    assert read_experiment(path)["method"] == [{"type": "action", "name": "a"}]
    path.write_text("method: [")
    with pytest.raises(UnusableInput, match="cannot be read"):
        read_experiment(path)
    with pytest.raises(UnusableInput, match="there is no experiment"):
        read_experiment(tmp_path / "none.json")


def test_a_program_that_is_not_there_is_named(world: Any, tmp_path: Path) -> None:
    """With how to get it, before the drill begins."""
    file = _experiment(
        tmp_path / "e.json", method=[_touch("a", tmp_path / "x")], rollbacks=[_touch("b", tmp_path / "y")]
    )
    with pytest.raises(UnusableInput, match="install chaostoolkit"):
        require(world, ChaosToolkitMethod(file, program="no-such-chaos"))
    assert not list(tmp_path.glob("run/chaos-toolkit-*"))


def test_it_runs_where_the_experiment_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records and program may be given from where the harness runs: they are found from there, by whoever heals too."""
    monkeypatch.chdir(tmp_path)
    here = tmp_path / "experiments"
    here.mkdir()
    _experiment(here / "e.json", method=[_touch("a", tmp_path / "x")], rollbacks=[_touch("b", tmp_path / "y")])
    program = tmp_path / "bin" / "chaos"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\nfor word; do last=$word; done\npwd > where\n"
        f"exec {sys.executable} -c 'import json, pathlib, sys; told = json.load(open(sys.argv[1])); "
        'pathlib.Path(sys.argv[2]).write_text(json.dumps({"status": "completed", "experiment": told, "run": '
        '[{"activity": {"type": "probe", "name": "p"}, "status": "succeeded"}]}))\' "$last" "$6"\n'
    )
    program.chmod(0o700)
    fault = InjectedFault(Place(Path("run")), ChaosToolkitMethod("experiments/e.json", program="bin/chaos"))  # type: ignore[arg-type]
    fault.inject()
    fault.heal()
    assert (here / "where").read_text().strip() == str(here)
