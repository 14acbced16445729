"""Drills of an attached third-party system beside a scripted truth: what the drill says, and what really happened when."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drill.history import NS
from infra_fixtures.run_layout import REPOSITORY, Address, RunLayout
from tests.attached.applications import Application
from tests.attached.name_servers import NAME, Names

HERE = Path(__file__).parent
OBJECTIVES = """
[default]
rto_s = 15
rpo_s = 1
lost_after_fault = 0
deadline_s = 2.0
window_s = 1.0
settle_s = 2.0
availability = 0.9
lag_p99_s = "none"
"""
SCHEDULE = """
baseline_s = 3.0
cohorts = { follower = 0.6, fresh = 0.2, sticky = 0.2 }

[[faults]]
fault = "described"
"""
DRILL_LIMIT_S = 180.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One drill: the bracket that it gave, and the bounds of the true recovery time, in seconds."""

    verdict: str
    value: float | None
    lower: float | None
    upper: float | None
    true_least: float
    true_most: float
    lost: float | None
    reasons: tuple[str, ...]

    @property
    def holds_truth(self) -> bool:
        """Whether the true time can lie in the bracket."""
        if self.lower is None or self.upper is None:
            return False
        return self.lower <= self.true_most and self.true_least <= self.upper

    def __str__(self) -> str:
        figures = "nothing" if self.value is None else f"{self.value:.3f} [{self.lower:.3f}, {self.upper or 0:.3f}]"
        true = f"{self.true_least:.3f} to {self.true_most:.3f}"
        return f"{self.verdict} rto {figures} true {true} {'in' if self.holds_truth else 'OUT'} lost {self.lost} {self.reasons}"


Serve = Callable[[RunLayout, Path], AbstractContextManager[Application]]
Name = Callable[[Address, Path, str], AbstractContextManager[Names]]


def drills(layout: RunLayout, directory: Path, serve: Serve, name: Name, times: int) -> list[Outcome]:
    """So many drills of the application under that name server, one after the other, each with its truth."""
    primary, standby = layout.primary.edge, layout.standby.edge
    with serve(layout, directory) as application, name(layout.dns, directory, primary.host) as names:
        state = _state(application, names, directory, primary.host, standby.host)
        _describe(application, layout, directory, state)
        with _observed(layout, application, directory / "observed.log"):
            done = _play(application, directory, times)
    runs = directory / "runs"
    (run,) = [p for p in runs.iterdir() if p.is_dir() and not p.is_symlink()]
    said = [json.loads(path.read_text()) for path in _verdicts(run, times)]
    assert len(said) == times, done.stdout[-3000:] + done.stderr[-3000:]
    truths = _truths(directory)
    assert len(truths) == times, (directory / "controller.log").read_text()
    return [_outcome(verdict, truth) for verdict, truth in zip(said, truths, strict=True)]


def _state(application: Application, names: Names, directory: Path, primary: str, standby: str) -> Path:
    chance = random.Random(7)
    state = directory / "state.json"
    health = f"http://{primary}:{application.port}{application.observed or application.health}"
    whole: dict[str, Any] = {
        "log": str(directory / "controller.log"),
        "flip_pid": str(directory / "flip.pid"),
        "flip_after_s": [round(chance.uniform(0.3, 3.0), 3) for _ in range(50)],
        "standby": standby,
        "names": names.rewriting,
        "primary": {
            "address": primary,
            "pid_file": str(application.pids[primary]),
            "start": application.start[primary],
            "log": str(directory / f"{primary}.log"),
            "health": health,
            **({"postmaster": application.state["postmaster"]} if "postmaster" in application.state else {}),
        },
        **{key: value for key, value in application.state.items() if key != "postmaster"},
    }
    state.write_text(json.dumps(whole))
    (directory / "controller.log").touch()
    return state


def _describe(application: Application, layout: RunLayout, directory: Path, state: Path) -> None:
    controller = [sys.executable, str(HERE / "controller.py"), str(state)]
    (directory / "contract.toml").write_text(application.contract)
    (directory / "objectives.toml").write_text(OBJECTIVES)
    (directory / "drill.toml").write_text(application.mobile(SCHEDULE))
    (directory / "system.toml").write_text(f"""
name = "a third party's application in two places"
workload = "contract.toml"
rate = 10.0
rate_cap = 40.0

[service]
url = "http://{NAME}:{application.port}"
dns = "{layout.dns.host}:{layout.dns.port}"
dns_every_s = 0.05

[primary]
name = "left"
url = "http://{layout.primary.edge.host}:{application.port}"

[standby]
name = "right"
url = "http://{layout.standby.edge.host}:{application.port}"

[break]
command = "{shlex.join(controller)} kill"
timeout_s = 20

[heal]
command = "{shlex.join(controller)} heal"
timeout_s = 180

{"".join(application.databases.values())}""")


def _play(application: Application, directory: Path, times: int) -> subprocess.CompletedProcess[str]:
    words = ["play", str(directory / "drill.toml"), "--target", "attach", "--topology", str(directory / "system.toml")]
    words += ["--objectives", str(directory / "objectives.toml"), "--runs-dir", str(directory / "runs")]
    return subprocess.run(
        [sys.executable, "-m", "scenarios", *words, "--repeat", str(times), "--rate", "20", "--read-share", "0.4"],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=DRILL_LIMIT_S * times + 600,
        env={**os.environ, **application.environment},
    )  # fmt: skip


@contextlib.contextmanager
def _observed(layout: RunLayout, application: Application, log: Path) -> Iterator[None]:
    """An observer looks for as long as this lasts."""
    words = [
        layout.dns.host,
        str(layout.dns.port),
        NAME,
        str(application.port),
        application.observed or application.health,
    ]
    with log.open("wb") as told:
        observer = subprocess.Popen(
            [sys.executable, str(HERE / "observer.py"), *words], stdin=subprocess.PIPE, stdout=told
        )
    try:
        yield
    finally:
        assert observer.stdin is not None
        observer.stdin.close()
        observer.wait(timeout=20)


def _verdicts(run: Path, times: int) -> list[Path]:
    found = [p for p in (run / "scenarios").glob("*/verdict.json") if p.exists()]
    return sorted(found, key=lambda p: p.stat().st_mtime_ns)[:times]


def _truths(directory: Path) -> list[tuple[float, float]]:
    """The bounds of each true recovery time: from the kill to the flip, as the controller did them and the observer saw."""
    acts = [json.loads(line) for line in (directory / "controller.log").read_text().splitlines()]
    looks = [tuple(map(int, line.split())) for line in (directory / "observed.log").read_text().splitlines()]
    kills = [act["kill"] for act in acts if "kill" in act]
    flips = [act["flip"] for act in acts if "flip" in act]
    found = []
    for kill, flip in zip(kills, flips, strict=True):
        failed = [began for began, ended, ok in looks if not ok and kill[0] < ended and began < flip[1] + NS]
        good = next(ended for began, ended, ok in looks if ok and began >= max(failed, default=flip[0]))
        found.append(((max([flip[0], *failed]) - kill[1]) / NS, (good - kill[0]) / NS))
    return found


def _outcome(verdict: dict[str, Any], truth: tuple[float, float]) -> Outcome:
    rto, lost = verdict["measurements"]["rto_s"], verdict["measurements"]["lost_writes"]["value"]
    upper = float("inf") if rto["upper"] is None and rto["value"] is not None else rto["upper"]
    return Outcome(verdict["verdict"], rto["value"], rto["lower"], upper, *truth, lost, tuple(verdict["reasons"]))
