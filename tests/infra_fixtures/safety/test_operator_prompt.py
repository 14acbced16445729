"""A person is asked at the terminal and nowhere else; the time is taken when Enter is pressed."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from infra_fixtures.run_layout import REPOSITORY

ASK = """
import sys
from infra_fixtures.safety.operator_prompt import NoOperator, ask
try:
    told = ask("Pull the cable of left", effect="the lamp is dark", timeout_s=float(sys.argv[1]))
    print("stamped", told.began_ns, told.ended_ns)
except NoOperator as e:
    print("refused:", e)
"""


@dataclass(slots=True)
class Terminal:
    """A terminal and the process at it."""

    descriptor: int
    pid: int
    shown: str = ""

    def until(self, words: str, *, since: str = "", limit_s: float = 20.0) -> str:
        """Read until it shows these words, behind those of `since`."""
        ends_s = time.monotonic() + limit_s
        while words not in self.shown.partition(since)[2] if since else words not in self.shown:
            assert time.monotonic() < ends_s, self.shown
            if select.select([self.descriptor], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self.descriptor, 4096).decode()
                except OSError:  # the process has ended
                    assert words in self.shown, self.shown
        return self.shown

    def press_enter(self) -> int:
        """When it was pressed."""
        os.write(self.descriptor, b"\n")
        return time.monotonic_ns()


@pytest.fixture
def asked(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """Somebody is asked; the parameter is for how long."""
    pid, descriptor = pty.fork()
    if pid == 0:
        os.chdir(REPOSITORY)
        os.execv(sys.executable, [sys.executable, "-c", ASK, str(getattr(request, "param", 20.0))])
    terminal = Terminal(descriptor, pid)
    yield terminal
    os.close(descriptor)
    os.waitpid(pid, 0)


def test_both_moments_are_stamped(asked: Terminal) -> None:
    """When the person begins, and when it has taken effect; what was typed before it was asked is no answer."""
    asked.until("Press Enter at the moment you begin:")
    began_ns = asked.press_enter()
    asked.until("Press Enter as soon as the lamp is dark:")
    time.sleep(0.3)
    done_ns = asked.press_enter()
    found = re.search(r"stamped (\d+) (\d+)\r\n", asked.until("\r\n", since="stamped"))
    assert found
    for told, pressed in zip(map(int, found.groups()), (began_ns, done_ns), strict=True):
        assert abs(told - pressed) < 200_000_000
    assert "Pull the cable of left" in asked.shown


@pytest.mark.parametrize("asked", [0.5], indirect=True)
def test_nobody_s_silence_is_taken_for_done(asked: Terminal) -> None:
    """Who does not answer in time has not done it, and is told what it was."""
    assert "nobody pressed Enter in time; do it by hand: Pull the cable" in asked.until("by hand: Pull the cable")


def test_without_a_terminal_nobody_is_asked() -> None:
    """Whatever standard input says: it is refused in one sentence."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, "5"],
        cwd=REPOSITORY, input="\n\n", capture_output=True, text=True, timeout=30, start_new_session=True,
    )  # fmt: skip
    assert "refused: there is no terminal to ask a person at; do it by hand: Pull the cable of left" in done.stdout
