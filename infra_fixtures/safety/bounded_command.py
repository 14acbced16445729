"""Runs a command of whoever owns an attached system: bounded in time, its exit status checked, its output kept.

What stands in the environment variables that a command is given is taken out of what is kept: they hold its secrets. It is
started in a session of its own and without the run's id, so that a service which it starts outlives the run and is never taken
for a process of it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from drill.host_environment import child_environment
from infra_fixtures.powers import Instant

LOG = "commands.log"
"""Beside the run's journal: every command, when it began, how it ended, and what it said."""
MOST_OUTPUT = 64 * 1024
HOME = "HOME"
"""Where programs such as kubectl and ssh find what they need; kept for commands, and for nothing else that a run starts."""

log = logging.getLogger(__name__)


class CommandFailed(Exception):
    """A command ended otherwise than it was to, or did not end in time; the message has its last words."""


def run_bounded(
    command: str | Sequence[str],
    *,
    timeout_s: float,
    exits: Sequence[int] = (0,),
    environment: Sequence[str] = (),
    directory: str = "",
    records: str = "",
) -> Instant:
    """Run a list of words, or a string by the shell, and return when it began and ended. Raises CommandFailed.

    `exits` are the exit statuses of success; `environment` names the variables that it is given beside PATH and HOME;
    `directory` is where it runs, `records` the directory that its output is kept in.
    """
    given = {name: os.environ[name] for name in environment if name in os.environ}
    said = _without(given, _spoken(command))
    if missing := sorted(set(environment) - given.keys()):
        raise CommandFailed(f"`{said}` was not run: set {', '.join(missing)}, which it is to be given")
    home = {HOME: os.environ[HOME]} if HOME in os.environ else {}
    with tempfile.TemporaryFile() as output:
        began_ns = time.monotonic_ns()
        how = _run(command, output, child_environment(os.environ, **home, **given), directory, timeout_s)
        ended_ns = time.monotonic_ns()
        told = _told(output, given)
    _keep(records, said, how, (ended_ns - began_ns) / 1e9, told)
    if how not in exits:
        last = next((line for line in reversed(told.splitlines()) if line.strip()), "it said nothing")
        ending = how if isinstance(how, str) else f"ended with status {how}"
        raise CommandFailed(f"`{said}` {ending}: {last.strip()[:300]}")
    return Instant(began_ns, ended_ns)


def _run(
    command: str | Sequence[str], output: IO[bytes], environment: Mapping[str, str], directory: str, timeout_s: float
) -> int | str:
    """Its exit status, or a word for how else it ended. What it starts in the background may go on."""
    try:
        process = subprocess.Popen(
            command if isinstance(command, str) else list(command),
            shell=isinstance(command, str),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory or None,
            env=environment,
            start_new_session=True,
        )
    except OSError as e:
        return f"could not be started ({e.strerror})"
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return f"did not end within {timeout_s:g} s and was killed"
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _told(output: IO[bytes], secrets: Mapping[str, str]) -> str:
    """The last of what it said, without the values of the variables that it was given."""
    size = output.seek(0, os.SEEK_END)
    longest = max((len(value.encode()) for value in secrets.values()), default=0)
    is_whole = size <= MOST_OUTPUT
    output.seek(0 if is_whole else size - MOST_OUTPUT)
    told = _without(secrets, output.read().decode(errors="replace"))
    return told if is_whole else told[longest:]  # it may begin with the end of a secret


def _without(secrets: Mapping[str, str], text: str) -> str:
    """Longest first, as one may be a part of another."""
    for name, value in sorted(secrets.items(), key=lambda item: -len(item[1])):
        text = text.replace(value, f"[{name}]") if value else text
    return text


def _keep(records: str, said: str, how: int | str, lasted_s: float, told: str) -> None:
    """What cannot be kept must not keep anybody from healing."""
    if not records:
        return
    ended = f"status {how}" if isinstance(how, int) else how
    head = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%S.%fZ} {said}\n{ended} after {lasted_s:.3f} s\n"
    try:
        with Path(records, LOG).open("a", encoding="utf-8") as kept:
            kept.write(head + "".join(f"  {line}\n" for line in told.splitlines()))
    except OSError:
        log.warning("what a command said could not be kept in %s", records, exc_info=True)


def _spoken(command: str | Sequence[str]) -> str:
    return command if isinstance(command, str) else shlex.join(command)
