"""The method of a Chaos Toolkit experiment as a fault; its rollbacks are the undo.

Its hypothesis is left away: a drill finds out by itself whether the system was steady before and is afterwards. Every activity
of the method must succeed, and of the rollbacks too, before a fault counts as injected or as healed (`chaos_run`).
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import yaml  # type: ignore[import-untyped]

from drill.plain_file import read_bytes
from drill.unusable import UnusableInput
from infra_fixtures.faults.by_owner import perform
from infra_fixtures.faults.fault import PRIMARY, Fault, Harmed, Injection, region_of
from infra_fixtures.powers import Instant
from infra_fixtures.safety import chaos_run
from infra_fixtures.safety.bounded_command import HOME
from infra_fixtures.safety.undo import RunCommand
from infra_fixtures.safety.way import Seconds
from infra_fixtures.targets.world import World

MOST_BYTES = 1_000_000
KEPT = ("configuration", "secrets", "runtime")
"""What activities may refer to."""
METHOD, ROLLBACKS, JOURNAL = "method.json", "rollbacks.json", "method-journal.json"


class ChaosToolkitMethod(Fault, frozen=True):
    """Run the method of the experiment in `file` (JSON or YAML) by `program`, Chaos Toolkit's command; healing runs its
    rollbacks. An experiment that has none is refused, unless it `ends_by_itself`.

    `environment` names the variables that its activities need, such as AWS_PROFILE; each run must end within `timeout_s`.
    """

    not_in_fis: ClassVar[str] = "a method of Chaos Toolkit may do anything"
    file: str
    region: str = PRIMARY
    program: str = "chaos"
    timeout_s: Seconds = 600.0
    environment: tuple[str, ...] = ()
    ends_by_itself: bool = False

    @property
    def harms(self) -> tuple[Harmed, ...]:
        """Whatever it hits there is known to its author only."""
        return (Harmed(self.region, self.file),)

    @property
    def healing_variables(self) -> tuple[str, ...]:
        """Those of its rollbacks."""
        return HOME, *self.environment

    def check(self, world: World) -> None:
        """The experiment and the program are there, and something undoes it."""
        self._readied()

    def prepare(self, world: World) -> Injection:
        """Part the experiment into what breaks and what takes it back, both kept beside the journal."""
        program, experiments = self._readied()
        place = _new_directory(world.journal.path.parent.absolute())
        for name, experiment in experiments.items():
            (place / name).write_text(json.dumps(experiment), encoding="utf-8")
        undo = [self._command(program, place, ROLLBACKS, "rollbacks-journal.json")] if ROLLBACKS in experiments else []
        act = self._command(program, place, METHOD, JOURNAL)
        region = region_of(world, self.region)
        return Injection(region, undo, lambda _learn: _run(act, world, region, place / JOURNAL))

    def _readied(self) -> tuple[str, dict[str, dict[str, Any]]]:
        """The program, and the experiments of the method and of the rollbacks, if any; raises UnusableInput."""
        experiment = read_experiment(Path(self.file))
        program = shutil.which(self.program)
        if program is None:
            raise UnusableInput(
                f"{self.program} is no program here: install chaostoolkit beside the harness, or give the fault "
                f'{self.name} its program = "..."'
            )
        if not experiment["rollbacks"] and not self.ends_by_itself:
            raise UnusableInput(
                f"{self.file} has no rollbacks, so that nothing would undo its method: add some, or say "
                "ends_by_itself = true where its method takes back all that it does"
            )
        parts = {METHOD: experiment["method"], ROLLBACKS: experiment["rollbacks"]}
        program = str(Path(program).absolute())  # it runs in the experiment's directory
        return program, {name: _with_method(experiment, each) for name, each in parts.items() if each}

    def _command(self, program: str, place: Path, experiment: str, journal: str) -> RunCommand:
        checked = (sys.executable, chaos_run.__file__, str(place / journal))
        words = (program, "--no-version-check", "--log-file", str(place / "chaostoolkit.log"), "run")
        return RunCommand(
            (*checked, *words, "--journal-path", str(place / journal), str(place / experiment)),
            self.timeout_s,
            environment=self.environment,
            directory=str(Path(self.file).absolute().parent),
            records=str(place.parent),
        )


def read_experiment(path: Path) -> dict[str, Any]:
    """An experiment whose method and rollbacks are lists of activities; raises UnusableInput."""
    content = read_bytes(path, MOST_BYTES)
    if content is None:
        raise UnusableInput(f"there is no experiment {path}: give the path of Chaos Toolkit's file, JSON or YAML")
    try:
        found = yaml.safe_load(content.decode())  # JSON is YAML
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as e:
        raise UnusableInput(f"the experiment {path} cannot be read ({' '.join(str(e).split())[:200]})") from e
    whole = {"rollbacks": [], **found} if isinstance(found, dict) else {}
    for name in ("method", "rollbacks"):
        activities = whole.get(name)
        if not isinstance(activities, list) or not all(isinstance(a, dict) for a in activities):
            raise UnusableInput(f"the experiment {path} has no list of activities as its {name}: see `chaos validate`")
    if not whole["method"]:
        raise UnusableInput(f"the method of the experiment {path} does nothing: a fault must do something")
    return whole


def _with_method(experiment: dict[str, Any], activities: list[Any]) -> dict[str, Any]:
    """An experiment that does only these."""
    kept = {name: experiment[name] for name in KEPT if name in experiment}
    for group in kept.get("secrets", {}).values():
        for name, value in group.items() if isinstance(group, dict) else ():
            if not isinstance(value, dict):
                raise UnusableInput(
                    f"the secret {name} stands in the experiment itself, and would be kept in the records: "
                    'say where it is, such as {"type": "env", "key": "..."}'
                )
    described = {"version": "1.0.0", "title": str(experiment.get("title", "")), "description": "part of an experiment"}
    return {**described, **kept, "method": activities, "rollbacks": []}


def _new_directory(beside: Path) -> Path:
    number = 1 + sum(1 for _ in beside.glob("chaos-toolkit-*"))
    place = beside / f"chaos-toolkit-{number}"
    place.mkdir(mode=0o700)
    return place


def _run(act: RunCommand, world: World, region: str, journal: Path) -> Instant:
    """Run it; from the begin of its first action to the end of its last is when it took effect.

    The journal has the wall clock's time: where that was set meanwhile, the whole of Chaos Toolkit's own time counts.
    """
    whole = perform(world, act, region)
    offset_ns = time.time_ns() - time.monotonic_ns()
    runs = [run for run in json.loads(journal.read_text())["run"] if run["activity"]["type"] == "action"]
    if not runs:
        return whole
    began, ended = (f(_nanoseconds(run[k]) for run in runs) - offset_ns for f, k in ((min, "start"), (max, "end")))
    return Instant(began, ended) if whole.began_ns <= began <= ended <= whole.ended_ns else whole


def _nanoseconds(at: str) -> int:
    """Of an ISO time, UTC where it does not say."""
    told = dt.datetime.fromisoformat(at)
    return round((told if told.tzinfo else told.replace(tzinfo=dt.UTC)).timestamp() * 1e6) * 1000
