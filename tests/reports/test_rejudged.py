"""A bundle cannot be talked round: whatever is forged in it, `build` and `verify` refuse and name what differs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from drill.recorded_objectives import RecordedObjectives
from drill.stored import find_stored, write_repetitions
from reports import rejudged
from reports.__main__ import main
from reports.manifest import write as sign
from reports.record import load_run
from tests.drill.scripted import history
from tests.reports.outage import facts

LIMITS = {
    "rto_s": 30.0, "rpo_s": 1.0, "lost_writes": 0, "lag_p99_s": 1.0, "deadline_s": 1.0, "settle_s": 3.0, "window_s": 1.0,
}  # fmt: skip
TOML = "[default]\n" + "".join(f"{key} = {value}\n" for key, value in LIMITS.items())
KEY = Ed25519PrivateKey.generate()


@pytest.fixture(autouse=True)
def _own_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The user's own key is never touched."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed run as a game day leaves it: `lossless` is MET, `lossy` MISSED, each twice."""
    home = tmp_path_factory.mktemp("signed")
    (home / "objectives.toml").write_text(TOML)
    said = facts() | {"objectives": {"default": LIMITS}, "options": {"repeat": 2}}
    said["scenarios"] = ["lossless", "lossless-002", "lossy", "lossy-002"]
    (home / "run").mkdir()
    (home / "run" / "run.json").write_text(json.dumps(said))
    for name in said["scenarios"]:
        scenario = name.removesuffix("-002")
        directory = home / "run" / "scenarios" / name
        history(lost=3 if scenario == "lossy" else 0).save(directory)
        RecordedObjectives.of_file(home / "objectives.toml", "embedded", scenario).write(directory)
    for stored in find_stored(home / "run"):
        (stored.directory / "verdict.json").write_text(json.dumps(stored.verdict_json(stored.judge())))
    write_repetitions(home / "run")
    sign(home / "run", KEY)
    return home / "run"


@pytest.fixture
def run(signed: Path, tmp_path: Path) -> Path:
    """A copy to forge."""
    return Path(shutil.copytree(signed, tmp_path / "run"))


def _edit(name: str, change: Callable[[Any], None]) -> Callable[[Path], None]:
    def forge(run: Path) -> None:
        said = json.loads((run / name).read_text())
        change(said)
        (run / name).write_text(json.dumps(said))

    return forge


def _figure(name: str, **changes: Any) -> Callable[[Path], None]:
    return _edit("scenarios/lossy/verdict.json", lambda said: said["measurements"][name].update(changes))


def _limits(name: str) -> Callable[[Path], None]:
    def loosen(said: Any) -> None:
        values = said["objectives"]["default"] if name == "run.json" else said["values"]
        values["lost_writes"] = 99

    return _edit(name, loosen)


def _consistently_looser(run: Path) -> None:
    """The limit in verdict.json and beside the records, but not in run.json."""
    _limits("scenarios/lossy/objectives.json")(run)
    (stored,) = [s for s in find_stored(run) if s.directory.name == "lossy"]
    (stored.directory / "verdict.json").write_text(json.dumps(stored.verdict_json(stored.judge())))


def _swapped(run: Path) -> None:
    shutil.copy(run / "scenarios/lossless/verdict.json", run / "scenarios/lossy/verdict.json")


VERDICT = "scenarios/lossy/verdict.json"
FORGED = {
    "a verdict": (
        _edit(VERDICT, lambda v: v.update(verdict="MET")),
        f"{VERDICT}: verdict is MET, but the records give",
    ),
    "a value": (_figure("lost_writes", value=0.0), f"{VERDICT}: lost_writes value is 0, but the records give 3"),
    "a bound": (_figure("rto_s", upper=1.0), f"{VERDICT}: rto_s upper is 1, but the records give"),
    "a limit": (
        _figure("lost_writes", objective=9.0),
        f"{VERDICT}: lost_writes objective is 9, but the records give 0",
    ),
    "a figure's verdict": (_figure("lost_writes", verdict="MET"), f"{VERDICT}: lost_writes verdict is MET"),
    "a figure left out": (_edit(VERDICT, lambda v: v["measurements"].pop("lost_writes")), "lost_writes is missing"),
    "a figure made up": (
        _edit(VERDICT, lambda v: v["measurements"].update(rto_best_s={"value": 0, "unit": "s", "verdict": "MET"})),
        "rto_best_s is none that the records give",
    ),
    "a cohort's figure": (
        _edit(VERDICT, lambda v: v["cohorts"]["follower"]["rto_s"].update(value=0.1)),
        "cohort follower rto_s value is 0.1",
    ),
    "a step": (_edit(VERDICT, lambda v: v["waterfall"][0].update(to_s=0.01)), "to_s is 0.01"),
    "what is expected": (
        _edit(VERDICT, lambda v: v.update(expected="MISSED")),
        "expected is MISSED, but the records give",
    ),
    "another scenario's verdict": (_swapped, f"{VERDICT}: verdict is MET, but the records give MISSED"),
    "the target": (_edit(VERDICT, lambda v: v.update(target="aws")), "target is aws, but the records give embedded"),
    "the objectives beside it": (_limits("scenarios/lossy/objectives.json"), "lost_writes is 99, but run.json has 0"),
    "the run's objectives": (_limits("run.json"), "lost_writes is 0, but run.json has 99"),
    "objectives and verdict": (_consistently_looser, "objectives.json: lost_writes is 99, but run.json has 0"),
    "the file's hash": (
        _edit(VERDICT, lambda v: v["objectives"].update(sha256="0" * 64)),
        "objectives sha256 is 000000",
    ),
    "several runs together": (
        _edit("repetitions.json", lambda r: r[1].update(verdict="MET")),
        "repetitions.json: lossy verdict is MET",
    ),
    "records taken away": (
        lambda run: (run / "scenarios/lossy/survivors.parquet").unlink(),
        f"{VERDICT}: lost_writes value is 3, but the records give none",
    ),
}


def _bare(run: Path) -> None:
    for name in ("MANIFEST.sha256", "MANIFEST.sha256.sig", "signing-key.pub"):
        (run / name).unlink()


@pytest.mark.parametrize("kind", FORGED)
def test_what_is_forged_is_named_with_no_manifest_or_one_signed_anew(
    run: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its manifest, or signed by whoever forged it, the raw records still say what they say."""
    forge, said = FORGED[kind]
    forge(run)
    _bare(run)
    for words in (["build", str(run)], ["verify", str(run)], ["build", str(run), "--resign"]):
        assert main(words) == 1, words
        assert said in capsys.readouterr().out, words
    assert not (run / "summary.md").exists()
    sign(run, Ed25519PrivateKey.generate())
    assert main(["verify", str(run)]) == 1
    out = capsys.readouterr().out
    assert said in out
    assert "MANIFEST" not in out


def test_an_honest_bundle_is_built_and_verified(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the drill wrote is what its records show, signed or not."""
    _bare(run)
    assert main(["build", str(run)]) == 0
    assert main(["verify", str(run)]) == 0
    assert "every verdict is what the raw records show" in " ".join(capsys.readouterr().out.split())


OLDER = f"{VERDICT}: judged by an older judge (1), this one is 2: figures may differ"


def test_an_older_judges_figures_are_explained_and_not_excused(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To claim an old version wins a forger nothing: what differs fails as ever, beside the sentence that may explain it."""
    monkeypatch.setattr(rejudged, "JUDGE_VERSION", 2)
    assert main(["verify", str(run)]) == 0, "the same figures are the same whoever judged"
    assert OLDER in capsys.readouterr().out.splitlines()
    _figure("lost_writes", value=0.0, verdict="MET")(run)
    _bare(run)
    for words in (["verify", str(run)], ["build", str(run)], ["build", str(run), "--resign"]):
        assert main(words) == 1, words
        said = capsys.readouterr().out
        assert OLDER in said.splitlines()
        assert f"{VERDICT}: lost_writes value is 0, but the records give 3" in said.splitlines()


@pytest.mark.parametrize(
    ("version", "sentence"), [(9, "a newer judge (9)"), ("1", "which no judge has"), (0, "which no judge has")]
)
def test_a_version_that_is_none_is_a_difference(
    run: Path, version: Any, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A later judge's verdict is told; what is no version at all is something that no harness wrote."""
    _edit(VERDICT, lambda said: said.update(judge_version=version))(run)
    sign(run, KEY)
    assert main(["verify", str(run)]) == (0 if version == 9 else 1)
    assert sentence in capsys.readouterr().out


def test_an_older_bundle_is_not_refused_for_what_it_lacks(run: Path) -> None:
    """Without objectives of its own, without newer figures, labels and sentences, its verdicts are the same."""

    def older(said: dict[str, Any]) -> None:
        for key in ("judge_version", "objectives", "expected", "repetition", "cohorts"):
            said.pop(key, None)
        for name in ("degraded_s", "error_budget", "lag_worst_s"):
            del said["measurements"][name]
        for figure in said["measurements"].values():
            del figure["basis"]
            figure["because"] = "in the words of its time"

    for directory in (run / "scenarios").iterdir():
        _edit(f"scenarios/{directory.name}/verdict.json", older)(run)
        (directory / "objectives.json").unlink()
    _edit("run.json", lambda said: said.pop("scenarios"))(run)
    _bare(run)
    assert main(["build", str(run)]) == 0
    assert main(["verify", str(run)]) == 0


def test_reports_show_what_the_records_show(run: Path) -> None:
    """A sentence cannot be forged either, nor a verdict hidden by taking its file away."""
    _figure("lost_writes", because="a rounding error")(run)
    (run / "scenarios/lossy-002/verdict.json").unlink()
    _bare(run)
    assert main(["build", str(run)]) == 0
    text = (run / "summary.md").read_text()
    assert "rounding error" not in text
    assert "## Lossy, run 2: MISSED" in text


def test_a_scenario_taken_away_or_added_is_seen(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The manifest names every file of it; without a manifest the run still says what was to be drilled."""
    shutil.move(run / "scenarios/lossy", run / "scenarios/extra")
    assert main(["verify", str(run)]) == 1
    said = capsys.readouterr().out
    assert "scenarios/lossy/ops.parquet: missing" in said
    assert "scenarios/extra/ops.parquet: added" in said
    shutil.rmtree(run / "scenarios/extra")
    assert [s.verdict for s in load_run(run).scenarios if s.identifier == "lossy"] == ["UNPROVEN"]
    _bare(run)
    (run / "repetitions.json").unlink()
    assert main(["build", str(run)]) == 0
    assert "scenarios/lossy: never drilled" in capsys.readouterr().out
    assert "2 of 4 MET, 1 MISSED, 1 UNPROVEN" in (run / "summary.md").read_text()


@pytest.mark.parametrize("name", ["verdict.json", "ops.parquet", "marks.jsonl", "objectives.json"])
def test_what_cannot_be_read_is_a_difference_to_verify(
    run: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Damage is named beside whatever else differs, in one line, and not signed away."""
    (run / "scenarios" / "lossy" / name).write_bytes(b"[" * 100_000)
    assert main(["verify", str(run)]) == 1
    said = capsys.readouterr().out
    assert f"scenarios/lossy/{name}: changed" in said
    assert main(["build", str(run), "--resign"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("name", ["x[1]", "a*b", "q?", "with space", 'quo"te', "new\nline"])
def test_a_run_under_any_name_is_built_verified_and_judged(signed: Path, tmp_path: Path, name: str) -> None:
    """Brackets, stars, quotes and spaces in a directory are a directory's name, and pictures are found by it."""
    run = Path(shutil.copytree(signed, tmp_path / name / "run"))
    shutil.move(run / "scenarios" / "lossless", run / "scenarios" / name)
    _edit("run.json", lambda said: said.update(scenarios=[]))(run)
    _bare(run)
    assert main(["build", str(run)]) == 0
    assert main(["verify", str(run)]) == 0
    text = (run / "summary.md").read_text()
    assert (run / "scenarios" / name / "timeline.png").exists()
    assert "x[1]/" not in text
    done = subprocess.run(["sha256sum", "--quiet", "-c", "MANIFEST.sha256"], cwd=run, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert sys.getfilesystemencoding() == "utf-8"
