"""How a process ended is told with its last words, and with nothing that may be a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra_fixtures.processes.endings import LONGEST, how_ended, last_line


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (-9, "was killed by SIGKILL"),
        (-40, "was killed by signal 40"),
        (3, "ended with exit status 3"),
        (None, "ended"),
    ],
)
def test_what_ended_it_is_told(status: int | None, said: str) -> None:
    """A signal by its name, else the exit status."""
    assert how_ended(7, status) == f"process 7 {said}"


def test_the_last_line_is_told(tmp_path: Path) -> None:
    """Empty lines after it do not count; a log that is empty or missing says nothing."""
    log = tmp_path / "log"
    assert how_ended(7, -9, log) == "process 7 was killed by SIGKILL; its last words: (none)"
    log.write_text("starting\nOSError: address already in use\n\n")
    assert how_ended(7, 1, log) == "process 7 ended with exit status 1; its last words: OSError: address already in use"


@pytest.mark.parametrize(
    "line",
    [
        "STATEMENT:  ALTER ROLE orders LOGIN PASSWORD 'hunter2'",
        "x-api-key: 0f3c8a7d9e1b4c6f8a2d0f3c8a7d9e1b4c6f8a2d",
        "AWS_SESSION_TOKEN=IQoJb3JpZ2luX2VjEDMaCXVzLWVhc3QtMSJHMEUCIQ",
        'connecting with password="hunter2" now',
        "token: hunter2",
        "postgresql://orders:hunter2@127.0.0.1/orders",
    ],
)
def test_secrets_are_left_out(tmp_path: Path, line: str) -> None:
    """Quoted text, and whatever looks like a key or a token."""
    log = tmp_path / "log"
    log.write_text(line)
    said = last_line(log)
    for secret in ("hunter2", "0f3c8a7d", "IQoJb3Jp"):
        assert secret not in said


def test_a_long_line_is_cut(tmp_path: Path) -> None:
    """A report must not drown in it."""
    log = tmp_path / "log"
    log.write_text("word " * 1000)
    assert len(last_line(log)) == LONGEST
