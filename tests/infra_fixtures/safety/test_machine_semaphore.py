"""Drills of one machine take turns, whoever runs them, in whichever network namespace, and however they end."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from drill.unusable import UnusableInput
from drill.wait import wait_until
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.safety.machine_semaphore import machine_semaphore

HOLD = """
import os, sys, time
from pathlib import Path
from drill.unusable import UnusableInput
from infra_fixtures.safety.machine_semaphore import machine_semaphore
directory, limit_s, user = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
os.umask(0o077)
if user:
    os.setgroups([]); os.setgid(user); os.setuid(user)
try:
    with machine_semaphore(lambda: None, places=1, limit_s=limit_s, directory=directory):
        print("held", flush=True)
        sys.stdin.read()
except UnusableInput:
    print("kept out", flush=True)
"""
NOBODY = 65534
UNSHARED = ("unshare", "--net")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user or unshare a network")


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory of places of this test alone, that every user can reach."""
    parent = Path(tempfile.mkdtemp(prefix="turns-"))
    parent.chmod(0o755)
    yield parent / "turns"
    shutil.rmtree(parent)


def start(directory: Path, *, within: Sequence[str] = (), limit_s: float = 0.2, user: int = 0) -> subprocess.Popen[str]:
    """Another process that takes the one place and holds it until its input ends, or says that it was kept out."""
    return subprocess.Popen(
        [*within, sys.executable, "-c", HOLD, str(directory), str(limit_s), str(user)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    """Its next line."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def end(*processes: subprocess.Popen[str]) -> None:
    """Kill them, as nothing that they could tidy up themselves."""
    for process in processes:
        process.kill()
        process.communicate()


def test_one_waits_for_the_other_and_says_so(directory: Path) -> None:
    """With one place the second enters only when the first has left, and was told once that it waits."""
    inside: list[str] = []
    told: list[bool] = []

    def second() -> None:
        with machine_semaphore(lambda: told.append(True), places=1, directory=directory):
            inside.append("second")

    with machine_semaphore(lambda: inside.append("waited"), places=1, directory=directory):
        other = threading.Thread(target=second)
        other.start()
        wait_until(lambda: bool(told), what="the second to wait", timeout_s=5)
        time.sleep(0.3)
        assert inside == []
    other.join(5)
    assert (inside, told) == (["second"], [True])


def test_who_had_a_turn_gives_way(directory: Path) -> None:
    """Somebody who takes turn after turn does not keep out one who waits."""
    got, waits = threading.Event(), threading.Event()

    def other() -> None:
        with machine_semaphore(waits.set, places=1, directory=directory):
            got.set()

    waiting = threading.Thread(target=other)
    with machine_semaphore(lambda: None, places=1, directory=directory):
        waiting.start()
        assert waits.wait(5)
    with machine_semaphore(lambda: None, places=1, directory=directory):
        assert got.is_set()
    waiting.join(5)


def test_two_places_are_two_turns(directory: Path) -> None:
    """Where there is room for two, the second does not wait."""
    with (
        machine_semaphore(lambda: None, places=2, directory=directory),
        machine_semaphore(lambda: pytest.fail("it waited"), places=2, directory=directory),
    ):
        pass


def test_a_killed_holder_frees_its_place(directory: Path) -> None:
    """SIGKILL of whoever has the turn: the next one gets it."""
    holder = start(directory)
    try:
        assert said(holder) == "held"
        with (
            pytest.raises(UnusableInput, match="let them end"),
            machine_semaphore(lambda: None, places=1, directory=directory, limit_s=0.3),
        ):
            pass
    finally:
        end(holder)
    with machine_semaphore(lambda: pytest.fail("it waited"), places=1, directory=directory):
        pass


@pytest.mark.parametrize("within", [(), pytest.param(UNSHARED, marks=needs_root)], ids=["together", "unshared"])
def test_of_several_that_race_exactly_one_wins(directory: Path, within: Sequence[str]) -> None:
    """Processes that start at once, each in a network namespace of its own too: one holds, the others are kept out."""
    racers = [start(directory, within=within) for _ in range(4)]
    try:
        assert sorted(said(r) for r in racers) == ["held", "kept out", "kept out", "kept out"]
    finally:
        end(*racers)


@needs_root
@pytest.mark.parametrize(("first", "second"), [(0, NOBODY), (NOBODY, 0)], ids=["root first", "nobody first"])
def test_the_turn_is_no_users_own(directory: Path, first: int, second: int) -> None:
    """Places made by one user, whose umask is tight, keep another out and are taken by it later."""
    directory.parent.chmod(0o1777)
    holder = start(directory, user=first)
    try:
        assert said(holder) == "held"
        other = start(directory, user=second)
        assert said(other) == "kept out"
        end(other)
    finally:
        end(holder)
    successor = start(directory, user=second, limit_s=5)
    try:
        assert said(successor) == "held"
    finally:
        end(successor)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o1777


def test_a_link_in_place_of_the_directory_is_refused(directory: Path, tmp_path: Path) -> None:
    """Nothing is made or locked where a symbolic link leads."""
    directory.symlink_to(tmp_path)
    with (
        pytest.raises(UnusableInput, match=r"cannot take turns in .*remove"),
        machine_semaphore(lambda: None, directory=directory),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_what_only_stands_in_for_a_place_is_not_locked(directory: Path, tmp_path: Path, kind: str) -> None:
    """A symbolic link or a pipe named as a place is not followed and not waited on: the place counts as taken."""
    directory.mkdir()
    if kind == "link":
        (directory / "place-0").symlink_to(tmp_path / "elsewhere")
    else:
        os.mkfifo(directory / "place-0")
    with pytest.raises(UnusableInput), machine_semaphore(lambda: None, places=1, directory=directory, limit_s=0.2):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_place_removed_while_it_is_held_is_free_again_afterwards(directory: Path) -> None:
    """Somebody cleans the directory up: places are made anew, and the next turn after the present ones is taken."""
    with machine_semaphore(lambda: None, places=1, directory=directory):
        shutil.rmtree(directory)
    with machine_semaphore(lambda: pytest.fail("it waited"), places=1, directory=directory):
        assert (directory / "place-0").exists()


@needs_root
def test_who_keeps_a_place_for_ever_is_named(directory: Path) -> None:
    """Another user's process, by its id and user; what stands in for a place, by whom it was made."""
    directory.parent.chmod(0o1777)
    squatter = start(directory, user=NOBODY)
    try:
        assert said(squatter) == "held"
        held = rf"place-0 by process {squatter.pid} of user nobody \({NOBODY}\)\): let them end"
        with (
            pytest.raises(UnusableInput, match=held),
            machine_semaphore(lambda: None, places=1, directory=directory, limit_s=0.2),
        ):
            pass
    finally:
        end(squatter)
    (directory / "place-0").unlink()
    os.mkfifo(directory / "place-0")
    os.chown(directory / "place-0", NOBODY, NOBODY)
    with (
        pytest.raises(UnusableInput, match="place-0 is no plain file, and was made by user nobody"),
        machine_semaphore(lambda: None, places=1, directory=directory, limit_s=0.2),
    ):
        pass


def test_two_of_one_user_never_run_together_whatever_is_done_to_the_common_places(directory: Path) -> None:
    """The common places are removed while one drills: the next of the same user is kept out all the same."""
    holder = start(directory)
    try:
        assert said(holder) == "held"
        shutil.rmtree(directory)
        other = start(directory)
        assert said(other) == "kept out"
        end(other)
    finally:
        end(holder)


@needs_root
def test_a_place_of_ones_own_that_another_made_is_refused(directory: Path) -> None:
    """In one sentence that names them."""
    own = directory.with_name(f"{directory.name}-{os.geteuid()}")
    own.mkdir()
    os.chown(own, NOBODY, NOBODY)
    with (
        pytest.raises(
            UnusableInput, match=r"-0 was made by user nobody \(65534\) and is the place of user root \(0\): let"
        ),
        machine_semaphore(lambda: pytest.fail("it waited"), places=1, directory=directory),
    ):
        pass
    assert not directory.exists()
