"""Commands of a system's owner: bounded, checked, kept without their secrets, and never a process of the run."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from drill.wait import wait_until
from infra_fixtures.run_layout import RUN_ID_VARIABLE
from infra_fixtures.safety.bounded_command import LOG, MOST_OUTPUT, CommandFailed, run_bounded

SECRET = "hush-hush-4711"


def test_it_says_when_it_ran_and_keeps_what_it_said(tmp_path: Path) -> None:
    """Words without a shell, and a string with one; both sides of it are stamped."""
    before_ns = time.monotonic_ns()
    told = run_bounded(["echo", "$HOME is no variable here"], timeout_s=10, records=str(tmp_path))
    run_bounded("echo first; echo second >&2; exit 3", timeout_s=10, exits=(3,), records=str(tmp_path))
    assert before_ns <= told.began_ns < told.ended_ns <= time.monotonic_ns()
    kept = (tmp_path / LOG).read_text()
    assert "  $HOME is no variable here\n" in kept
    assert "  first\n  second\n" in kept
    assert "status 3 after" in kept


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("echo no such host; exit 1", "`echo no such host; exit 1` ended with status 1: no such host"),
        (["false"], "`false` ended with status 1: it said nothing"),
        (["/no/such/program", "x y"], r"`/no/such/program 'x y'` could not be started \(No such file"),
        ("kill -9 $$", "ended with status -9"),
        ("sleep 60", r"did not end within 0\.3 s and was killed"),
    ],
)
def test_any_other_end_is_a_sentence(tmp_path: Path, command: str | list[str], sentence: str) -> None:
    """The command, how it ended, and its last words; the records have it too."""
    with pytest.raises(CommandFailed, match=sentence):
        run_bounded(command, timeout_s=0.3 if command == "sleep 60" else 10, records=str(tmp_path))
    assert (tmp_path / LOG).exists()


def test_what_does_not_end_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    """Also what it started itself: nothing of it goes on."""
    told = tmp_path / "pid"
    with pytest.raises(CommandFailed):
        run_bounded(f"sleep 77 & echo $! > {told}; wait", timeout_s=0.5)
    child = int(told.read_text())
    wait_until(lambda: not _lives(child), what="the child to be gone", timeout_s=5)


def test_what_it_starts_in_the_background_goes_on_and_is_none_of_the_run_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that a heal command starts is not waited for, and is not found by the run's id."""
    monkeypatch.setenv(RUN_ID_VARIABLE, "some-run")
    told = tmp_path / "pid"
    began = time.monotonic()
    run_bounded(f"sleep 60 & echo $! > {told}", timeout_s=10)
    assert time.monotonic() - began < 5
    child = int(told.read_text())
    try:
        assert _lives(child)
        assert RUN_ID_VARIABLE not in psutil.Process(child).environ()
    finally:
        os.kill(child, signal.SIGKILL)


def test_its_secrets_are_given_by_name_and_never_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given what was named and nothing else of the host's; the value is nowhere in records or sentences."""
    monkeypatch.setenv("SERVICE_TOKEN", SECRET)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    line = 'echo "token $SERVICE_TOKEN key $AWS_SECRET_ACCESS_KEY."; exit 1'
    with pytest.raises(CommandFailed) as failed:
        run_bounded(line, timeout_s=10, environment=("SERVICE_TOKEN",), records=str(tmp_path))
    kept = (tmp_path / LOG).read_text()
    assert "token [SERVICE_TOKEN] key ." in kept
    assert "token [SERVICE_TOKEN] key ." in str(failed.value)
    assert SECRET not in kept + str(failed.value)


def test_a_variable_that_is_not_set_is_named_and_nothing_is_run(tmp_path: Path) -> None:
    """Half a command is worse than none."""
    with pytest.raises(CommandFailed, match="was not run: set NO_SUCH_TOKEN"):
        run_bounded(f"touch {tmp_path / 'ran'}", timeout_s=10, environment=("NO_SUCH_TOKEN",))
    assert not (tmp_path / "ran").exists()


def test_of_endless_output_the_end_is_kept_without_half_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the kept part begins in the middle of a secret, that is not kept either."""
    monkeypatch.setenv("SERVICE_TOKEN", SECRET)
    run_bounded(
        f"yes $SERVICE_TOKEN | head -c {3 * MOST_OUTPUT}; echo the end",
        timeout_s=20, environment=("SERVICE_TOKEN",), records=str(tmp_path),
    )  # fmt: skip
    kept = (tmp_path / LOG).read_text()
    assert len(kept) < 2 * MOST_OUTPUT
    assert kept.endswith("the end\n")
    assert not any(part in kept for part in (SECRET, SECRET[3:], SECRET[6:]))


def test_records_that_cannot_be_kept_stop_nobody_from_healing(tmp_path: Path) -> None:
    """The directory of a dead run may be gone."""
    run_bounded(f"touch {tmp_path / 'healed'}", timeout_s=10, records=str(tmp_path / "gone"))
    assert (tmp_path / "healed").exists()


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
