"""An experiment of FIS as a fault: previewed, started, followed, stopped by any process, and never believed unseen."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from drill.unusable import UnusableInput
from drill.wait import wait_until
from infra_fixtures.faults.fault import require
from infra_fixtures.faults.fis_experiment import FisExperiment
from infra_fixtures.faults.schedule import Schedule, Scheduled, injected_in_turn
from infra_fixtures.fis.experiment import ExperimentFailed
from infra_fixtures.fis.template_file import Substitution
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.safety.heal import HealingFailed
from infra_fixtures.safety.journal import Begun, Journal, Learned, open_entries
from infra_fixtures.safety.undo import AwsCall, Undo
from infra_fixtures.targets.world import World
from tests.infra_fixtures.fis.scripted_fis import RUNS, Course, ScriptedFis, serving

BOX = "arn:aws:ec2:us-east-1:123456789012:instance/i-0123456789abcdef0"
TEMPLATE: dict[str, Any] = {
    "description": "two boxes",
    "targets": {"boxes": {"resourceType": "aws:ec2:instance", "resourceTags": {"a": "b"}, "selectionMode": "ALL"}},
    "actions": {
        "stop": {"actionId": "aws:ec2:stop-instances", "targets": {"Instances": "boxes"}},
        "reboot": {"actionId": "aws:ec2:reboot-instances", "targets": {"Instances": "boxes"}},
    },
    "stopConditions": [{"source": "none"}],
    "roleArn": "arn:aws:iam::<ACCOUNT>:role/fis",
}
ACCOUNT = Substitution("<ACCOUNT>", "{account}")


@dataclass
class Bench:
    """A scripted FIS, a world with nothing else, and the marks."""

    fis: ScriptedFis
    journal: Journal
    file: Path
    marks: list[tuple[str, str, str]] = field(default_factory=list)

    def tell(self, event: str, subject: str = "", detail: str = "", at_ns: int | None = None) -> None:
        """As a drill's marks."""
        self.marks.append((event, subject, detail))

    @property
    def world(self) -> World:
        """The least that the fault needs of one."""

        class Least(SimpleNamespace):
            def client(self, service: str, region: str | None = None) -> Any:
                if service == "sts":
                    return SimpleNamespace(get_caller_identity=lambda: {"Account": "123456789012"})
                return self.fis.client(service, region)

            def healing(self) -> AbstractContextManager[None]:
                return contextlib.nullcontext()

        return cast(
            World,
            Least(
                fis=self.fis,
                journal=self.journal,
                primary="us-east-1",
                standby="us-west-2",
                run_id="r1",
                target="scripted",
            ),
        )

    def fault(self, **fields: Any) -> FisExperiment:
        """Of the file, with its account filled in."""
        return FisExperiment(template_file=str(self.file), substitute=(ACCOUNT,), **fields)

    def incomplete(self) -> list[str]:
        """What did not take place."""
        return [f"{subject} {detail}" for event, subject, detail in self.marks if event == "fault.incomplete"]

    @contextlib.contextmanager
    def standing(self, fault: FisExperiment | None = None) -> Iterator[Any]:
        """The fault stands as in a drill."""
        with injected_in_turn(self.world, Schedule.of(fault or self.fault()), self.tell) as effect:
            yield effect

    def is_clean(self) -> bool:
        """Nothing of it is left in FIS, and the journal says so."""
        return not self.fis.going() and not self.fis.templates and not self.journal.open_entries()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Its template has two actions on one target of one instance; FIS is asked more often than AWS's would be."""
    monkeypatch.setattr("infra_fixtures.safety.undo.UNTIL_EVERY_S", 0.05)
    monkeypatch.setattr("infra_fixtures.faults.following.EVERY_S", 0.1)
    monkeypatch.setattr("infra_fixtures.fis.experiment.LOOK_EVERY_S", 0.05)
    monkeypatch.setattr("infra_fixtures.fis.following.CONCLUDED_WITHIN_S", 1.0)
    file = tmp_path / "boxes.json"
    file.write_text(json.dumps(TEMPLATE))
    with serving(ScriptedFis(resolves={"boxes": [BOX]})) as fis:
        journal = Journal(tmp_path / "run")
        yield Bench(fis, journal, file)
        journal.close()


def test_it_is_previewed_started_followed_and_leaves_nothing(bench: Bench) -> None:
    """The bracket holds the first action's begin; each id is on disk before the next call; marks tell every state."""
    before_ns = time.monotonic_ns()
    with bench.standing() as effect:
        started_ns = round(bench.fis.experiments["EXP1"].started_s * 1e9)
        assert before_ns < effect.began_ns <= started_ns
        assert started_ns + 2e8 <= effect.effective_ns <= time.monotonic_ns()
        wait_until(lambda: effect.quiet_since() is not None, what="all of it to have begun", timeout_s=5)
        assert [e.mode for e in bench.fis.experiments.values()] == ["skip-all", "run-all"]
        assert bench.fis.templates["EXT0"]["roleArn"] == "arn:aws:iam::123456789012:role/fis"
        assert bench.fis.templates["EXT0"]["tags"]["failover-drill:run-id"] == "r1"
    assert bench.is_clean()
    assert bench.incomplete() == []
    assert ("fis.target", "boxes", f"1: {BOX}") in bench.marks
    states = [(s, d.partition(":")[0]) for e, s, d in bench.marks if e == "fis.experiment"]
    assert states == [("EXP1", "running"), ("EXP1", "stopped")]
    assert ("fis.action", "EXP1/stop", "running aws:ec2:stop-instances: Action is running.") in bench.marks
    assert ("fis.action", "EXP1/stop", "stopped aws:ec2:stop-instances: Action is stopped.") in bench.marks


def test_every_id_is_journalled_before_the_next_call(bench: Bench) -> None:
    """When FIS is called the next time, what the call before it made is on disk with its undo."""
    seen: dict[str, str] = {}

    def look(call: str) -> None:
        seen.setdefault(call, bench.journal.path.read_text())

    bench.fis.on_call = look
    with bench.standing():
        pass
    assert "fis-" in seen["POST /experimentTemplates"], "it is found by its tag before its id is known"
    assert '"id":"EXT0"' in seen["POST /experiments"]
    assert '"id":"EXP0"' in seen["GET /experiments/EXP0"]
    assert '"id":"EXP1"' in seen["GET /experiments/EXP1"]


@pytest.mark.parametrize(
    ("course", "sentence"),
    [
        (((0.2, "skipped"),), "EXP1/reboot (aws:ec2:reboot-instances) is skipped (Action is skipped.)"),
        (((0.2, "cancelled"),), "EXP1/reboot (aws:ec2:reboot-instances) is cancelled (Action is cancelled.)"),
        ((*RUNS, (0.4, "failed")), "EXP1/reboot (aws:ec2:reboot-instances) is failed (Action is failed.)"),
        ((), "EXP1/reboot (aws:ec2:reboot-instances) is cancelled (Action is cancelled.)"),
    ],
)
def test_an_action_that_did_not_take_place_is_told(bench: Bench, course: Course, sentence: str) -> None:
    """Skipped, cancelled, failed, or not begun when the drill ended: the other one began, and that is not enough."""
    bench.fis.courses["reboot"] = course
    with bench.standing():
        time.sleep(0.5)
    assert sentence in bench.incomplete()
    assert bench.is_clean()


def test_an_experiment_that_somebody_else_stops_is_told(bench: Bench) -> None:
    """A stop condition of its own, or the safety lever: the drill went on without its fault."""
    with bench.standing():
        bench.fis.stop_by_itself()
        time.sleep(0.5)
    (whole, *actions) = bench.incomplete()
    assert whole == "EXP1 is stopped, and the drill did not stop it: Experiment halted by stop condition."
    assert len(actions) == 2


def test_an_experiment_that_ends_by_itself_has_done_all(bench: Bench) -> None:
    """Actions that are completed are over, and nothing is missing."""
    bench.fis.courses = dict.fromkeys(("stop", "reboot"), (*RUNS, (0.5, "completed")))
    with bench.standing():
        wait_until(lambda: not bench.fis.going(), what="the experiment to end", timeout_s=5)
    assert bench.incomplete() == []
    assert bench.is_clean()


def test_what_fis_tells_nothing_of_counts_as_not_done(bench: Bench) -> None:
    """An experiment that is there no longer is no proof of anything."""
    with bench.standing():
        bench.fis.experiments.clear()
    assert bench.incomplete() == ["EXP1 is running still, so that what it did is not known"]


def test_the_experiment_of_a_lesser_fault_ends_when_it_is_due(bench: Bench) -> None:
    """With for_s it is stopped while the drill goes on."""
    schedule = Schedule.of(Scheduled(bench.fault(), for_s=0.4))
    with injected_in_turn(bench.world, schedule, bench.tell):
        wait_until(lambda: any(e == "fault.over" for e, *_ in bench.marks), what="its end", timeout_s=10)
        assert bench.is_clean()
    assert bench.incomplete() == []


def test_a_target_without_a_resource_is_refused_and_nothing_runs(bench: Bench) -> None:
    """The sentence names target and actions; the template is deleted again."""
    bench.fis.resolves = {}
    with pytest.raises(UnusableInput, match=r"no resource is a target of boxes \(of stop, reboot\)"), bench.standing():
        pass
    assert [e.mode for e in bench.fis.experiments.values()] == ["skip-all"]
    assert bench.is_clean()


def test_a_target_without_a_resource_may_be_allowed(bench: Bench) -> None:
    """By who says so; what is skipped for it is told all the same."""
    bench.fis.resolves = {}
    bench.fis.courses["reboot"] = ((0.1, "skipped"),)
    with bench.standing(bench.fault(allow_empty_targets=True)):
        time.sleep(0.2)
    assert len(bench.incomplete()) == 1


def test_an_experiment_in_which_nothing_begins_is_no_fault(bench: Bench) -> None:
    """It fails to be injected, with FIS's own words, and is healed."""
    bench.fis.courses = dict.fromkeys(("stop", "reboot"), ((0.1, "skipped"),))
    with pytest.raises(ExperimentFailed, match=r"no action began: EXP1 is completed; stop skipped"), bench.standing():
        pass
    assert bench.is_clean()


@pytest.mark.parametrize("lever", ["engaged", "engaging"])
def test_an_engaged_safety_lever_is_obeyed(bench: Bench, lever: str) -> None:
    """Before anything is made, and before the drill begins."""
    bench.fis.lever = lever
    with pytest.raises(UnusableInput, match=rf"safety lever of FIS in us-east-1 is {lever} \(frozen\)"):
        require(bench.world, bench.fault())
    with pytest.raises(UnusableInput, match="safety lever"), bench.standing():
        pass
    assert not bench.fis.templates
    assert not bench.journal.lines()


def test_a_safety_lever_that_cannot_be_read_counts_as_engaged(bench: Bench) -> None:
    """What is not known is not allowed."""
    bench.fis.lever = ""
    world = cast(Any, bench.world)
    world.fis = ScriptedFis(url="http://127.0.0.1:9")
    with pytest.raises(UnusableInput, match="cannot be told"):
        require(world, bench.fault())


def test_a_template_that_is_there_is_used_and_stays(bench: Bench) -> None:
    """By its id; one that is not there is refused."""
    made = {**TEMPLATE, "roleArn": "arn:aws:iam::123456789012:role/fis", "clientToken": "t", "tags": {}}
    bench.fis.answer("POST", "/experimentTemplates", {}, made)
    with bench.standing(FisExperiment(template="EXT0")):
        assert len(bench.fis.going()) == 1
    assert list(bench.fis.templates) == ["EXT0"]
    assert not bench.fis.going()
    with pytest.raises(UnusableInput, match="us-east-1 has no FIS template EXT9"):
        require(bench.world, FisExperiment(template="EXT9"))


@pytest.mark.parametrize("call", ["POST /experimentTemplates", "POST /experiments"])
def test_a_harness_that_is_killed_in_a_call_is_healed_by_another_process(bench: Bench, call: str) -> None:
    """The id was never learnt: whoever heals finds it by its tag, stops it and deletes the template."""
    calls = {"left": 2 if call == "POST /experiments" else 1}

    class Killed(BaseException):
        """SIGKILL, as far as the journal can tell."""

    def learn(*undo: Undo) -> None:
        learnt = {s.operation for s in undo if isinstance(s, AwsCall)}
        wanted = {"POST /experimentTemplates": "delete_experiment_template", "POST /experiments": "stop_experiment"}[
            call
        ]
        by_id = any(isinstance(s, AwsCall) and "id" in s.parameters for s in undo)
        if wanted in learnt and by_id:
            calls["left"] -= 1
            if not calls["left"]:
                raise Killed
        bench.journal.learned(entry, undo)

    injection = bench.fault().prepare(bench.world)
    entry = bench.journal.begin("fis_experiment", injection.undo)
    with pytest.raises(Killed):
        injection.act(learn)
    assert bench.fis.templates
    bench.journal.close()
    _heal_elsewhere(bench)
    assert not bench.fis.going()
    assert not bench.fis.templates
    assert open_entries(bench.journal.path) == []


def test_healing_waits_for_the_end_and_may_be_done_twice(bench: Bench) -> None:
    """Two processes: the second finds all as it should be."""
    bench.fis.stop_takes_s = 1.5
    injection = bench.fault().prepare(bench.world)
    entry = bench.journal.begin("fis_experiment", injection.undo)
    injection.act(lambda *undo: bench.journal.learned(entry, undo))
    lines = [line for line in bench.journal.lines() if isinstance(line, Begun | Learned)]
    bench.journal.close()
    _heal_elsewhere(bench)
    assert not bench.fis.going(), "it had ended when healing said so"
    again = Journal(bench.journal.path.parent / "again")
    number = again.begin("fis_experiment", [step for line in reversed(lines) for step in line.undo])
    again.close()
    _heal_elsewhere(bench, again)
    assert number not in [e.entry for e in open_entries(again.path)]


def test_an_experiment_that_does_not_end_is_not_healed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays open in the journal, the sentence says what FIS answers, and what it did counts as not known."""
    monkeypatch.setattr("infra_fixtures.fis.undoing.ENDED_WITHIN_S", 0.5)
    bench.fis.stop_takes_s = 1e9
    sentence = r"in vain for the experiment EXP1 to end; get_experiment answers .*stopping"
    with pytest.raises(HealingFailed, match=sentence), bench.standing():
        pass
    assert [e.fault for e in bench.journal.open_entries()] == ["fis_experiment"]
    assert "EXP1 is stopping still, so that what it did is not known" in bench.incomplete()


def _heal_elsewhere(bench: Bench, journal: Journal | None = None) -> None:
    directory = (journal or bench.journal).path.parent
    words = [sys.executable, "-m", "tests.infra_fixtures.fis.heal_elsewhere", str(directory), bench.fis.url]
    told = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"description": "<YOUR REGION>"}, "still has <YOUR REGION>: say with `substitute`"),
        ({"experimentTemplate": 1}, "has experimentTemplate, which CreateExperimentTemplate does not take"),
        ({"roleArn": 7}, "is no FIS template: Invalid type for parameter roleArn"),
        ({"actions": {}}, "has no action"),
        (
            {
                "actions": {
                    "w": {"actionId": "aws:fis:wait"},
                    "s": {"actionId": "aws:ec2:stop-instances", "startAfter": ["w"]},
                }
            },
            "begins with a wait: leave it out, and say with at_s",
        ),
        ({"actions": {"w": {"actionId": "aws:fis:wait"}}}, "has no action that changes anything"),
    ],
)
def test_a_file_that_is_no_template_is_refused_in_a_sentence(
    bench: Bench, change: dict[str, Any], sentence: str
) -> None:
    """Before anything is made in FIS."""
    bench.file.write_text(json.dumps({**TEMPLATE, **change}))
    with pytest.raises(UnusableInput) as refused:
        require(bench.world, bench.fault())
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not bench.fis.templates


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "is not there"), ("{", "is not JSON"), ("[]", "is no JSON object")]
)
def test_a_file_that_cannot_be_read_is_refused(bench: Bench, content: str | None, sentence: str) -> None:
    """In a sentence too."""
    bench.file.unlink()
    if content is not None:
        bench.file.write_text(content)
    with pytest.raises(UnusableInput, match=sentence):
        require(bench.world, bench.fault())


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({}, "it needs either template"),
        ({"template": "EXT1", "template_file": "a.json"}, "it needs either template"),
        ({"template": "EXT1", "role": "r"}, "stays as it is"),
        ({"template_file": "a.json", "substitute": [{"text": "", "by": "x"}]}, "needs the text"),
    ],
)
def test_a_table_that_names_no_experiment_is_refused(table: dict[str, Any], sentence: str) -> None:
    """When the scenario is read."""
    with pytest.raises(UnusableInput, match=sentence):
        Schedule.from_tables([{"fault": "fis_experiment", **table}], source="a.toml")


def test_the_role_of_the_fault_takes_the_place_of_the_files(bench: Bench) -> None:
    """By its name in the account of the system."""
    with bench.standing(bench.fault(role="chaos")):
        assert bench.fis.templates["EXT0"]["roleArn"] == "arn:aws:iam::123456789012:role/chaos"


def test_a_fis_that_answers_no_more_keeps_no_drill_waiting(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be followed is told, nothing is awaited of it, and it is not said to be healed."""
    monkeypatch.setattr("infra_fixtures.fis.following.UNSEEN_S", 0.1)
    monkeypatch.setattr("infra_fixtures.fis.undoing.ENDED_WITHIN_S", 0.5)

    def broken_meanwhile() -> None:
        with bench.standing() as effect:
            bench.fis.is_broken = True
            wait_until(lambda: effect.quiet_since() is not None, what="nothing to be awaited", timeout_s=10)

    with pytest.raises(HealingFailed, match="not healed"):
        broken_meanwhile()
    assert "FIS has told nothing of EXP1 for 0.1 s" in "".join(bench.incomplete())
    assert bench.journal.open_entries()
