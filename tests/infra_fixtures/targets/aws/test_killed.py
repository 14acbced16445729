"""The harness is killed while it makes a system on AWS: what is there is removed to nothing, or gone on with, by any process."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.targets.emulated_account import EmulatedAccount, emulated_account
from tests.infra_fixtures.targets.aws.inventory import Inventory, inventory

LINES = 170
"""So many lines the ledger has once all is made."""
LIMIT_S = 120.0
SEED = int(os.environ.get("DRILL_KILL_SEED", "0")) or random.randrange(2**31)
REMOVED, CONTINUED = (int(n) for n in os.environ.get("DRILL_AWS_KILLS", "10,10").split(","))


@pytest.fixture(scope="module")
def account() -> Iterator[EmulatedAccount]:
    """One for all kills: what one leaves, the next one finds."""
    with emulated_account() as held:
        yield held


@pytest.fixture
def before(account: EmulatedAccount) -> Inventory:
    """What is in the account that no run made."""
    return inventory(account)


@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", range(REMOVED))
def test_down_leaves_nothing_of_what_was_half_made(
    account: EmulatedAccount, before: Inventory, tmp_path: Path, number: int
) -> None:
    """Killed at any moment, `heal` gives the account's lock back and `down` leaves the account as it was."""
    lines = random.Random(f"{SEED} removed {number}").randint(1, LINES)
    where = _kill_at(account, tmp_path, f"gone{number}", lines)
    assert inventory(account) != before, where
    _done(_command(account, tmp_path, "heal"), where)
    _done(_command(account, tmp_path, "down", *account.arguments, "--aws-deployment", f"gone{number}"), where)
    assert inventory(account) == before, where


@pytest.mark.nightly
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", range(CONTINUED))
def test_up_goes_on_with_what_was_half_made(
    account: EmulatedAccount, before: Inventory, tmp_path: Path, number: int
) -> None:
    """Killed at any moment, the next `up` makes what is missing and the system serves; `down` leaves nothing."""
    lines, name = random.Random(f"{SEED} continued {number}").randint(1, LINES), f"more{number}"
    where = _kill_at(account, tmp_path, name, lines)
    _done(_command(account, tmp_path, "heal"), where)
    with _up(account, tmp_path, name) as again:
        assert again.stdout is not None
        said = []
        for line in again.stdout:
            said.append(line)
            if line.startswith("Ctrl-C"):
                again.send_signal(signal.SIGTERM)
        assert again.wait(LIMIT_S) == 0, f"{where}: {''.join(said)[-3000:]}"
    _done(_command(account, tmp_path, "down", *account.arguments, "--aws-deployment", name), where)
    assert inventory(account) == before, where


@pytest.mark.nightly
@pytest.mark.timeout(300)
def test_the_watchdog_removes_what_a_run_made_for_itself(
    account: EmulatedAccount, before: Inventory, tmp_path: Path
) -> None:
    """A system that goes with its run goes too where the harness alone was killed; nobody has to be asked."""
    lines = random.Random(f"{SEED} watchdog").randint(1, LINES)
    with _up(account, tmp_path, None) as harness:
        ledger = _await_lines(harness, lambda: next(tmp_path.glob("*/aws-ledger.jsonl"), None), lines)
        harness.kill()
        harness.wait()
    until = time.monotonic() + LIMIT_S
    while inventory(account) != before and time.monotonic() < until:
        time.sleep(0.5)
    said = (ledger.parent / "watchdog.log").read_text()
    assert inventory(account) == before, f"seed {SEED}, after {lines} lines: {said[-3000:]}"


def _kill_at(account: EmulatedAccount, runs: Path, name: str, lines: int) -> str:
    """Kill the harness and its watchdog once the ledger has so many lines; says when that was."""
    where = f"seed {SEED}, {name} after {lines} lines of its ledger"
    with _up(account, runs, name) as harness:
        _await_lines(harness, lambda: next(runs.glob(f"{name}.aws-ledger.jsonl"), None), lines)
        victims = [psutil.Process(harness.pid), *psutil.Process(harness.pid).children(recursive=True)]
        for victim in victims:
            victim.kill()
        psutil.wait_procs(victims, timeout=10)
        harness.wait()
    return where


def _await_lines(harness: subprocess.Popen[str], ledger: object, lines: int) -> Path:
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        path = ledger()  # type: ignore[operator]
        if path is not None and path.read_bytes().count(b"\n") >= lines:
            assert isinstance(path, Path)
            return path
        assert harness.poll() is None, "the harness ended before it was killed"
        time.sleep(0.01)
    raise AssertionError(f"the ledger did not get {lines} lines within {LIMIT_S:g} s")


def _up(account: EmulatedAccount, runs: Path, name: str | None) -> subprocess.Popen[str]:
    stays = [] if name is None else ["--aws-deployment", name]
    with (runs / "up.log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "infra_fixtures", "up", "--runs-dir", str(runs), *account.arguments, *stays],
            env=account.environment(), cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=log, text=True,
        )  # fmt: skip


def _command(account: EmulatedAccount, runs: Path, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    words: Sequence[str] = ["-m", "infra_fixtures", command, "--runs-dir", str(runs), *arguments]
    return subprocess.run(
        [sys.executable, *words],
        env=account.environment(),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )


def _done(command: subprocess.CompletedProcess[str], where: str) -> None:
    assert command.returncode == 0, f"{where}: {command.stdout[-2000:]}{command.stderr[-3000:]}"
