"""The truth of a drill: a script that kills the primary and moves its name, and writes down when (time.monotonic_ns()).

`controller.py STATE kill|flip|heal`; it imports nothing of the harness, and nobody else knows when it acts.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

LIMIT_S = 60.0


def main(state_file: str, act: str) -> None:
    """Do it."""
    state = json.loads(Path(state_file).read_text())
    {"kill": _kill, "flip": _flip, "heal": _heal}[act](state, state_file)


def _kill(state: dict[str, Any], state_file: str) -> None:
    pids = [int(Path(state["primary"]["pid_file"]).read_text()), *_database(state)]
    before_ns = time.monotonic_ns()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    while not all(map(_gone, pids)):
        time.sleep(0.0005)
    _log(state, "kill", before_ns)
    flip = subprocess.Popen([sys.executable, __file__, state_file, "flip"], start_new_session=True)
    Path(state["flip_pid"]).write_text(str(flip.pid))


def _flip(state: dict[str, Any], _: str) -> None:
    kills = sum('"kill"' in line for line in Path(state["log"]).read_text().splitlines())
    waits = state["flip_after_s"]
    time.sleep(waits[(kills - 1) % len(waits)])
    before_ns = time.monotonic_ns()
    subprocess.run(state.get("promote", ["true"]), check=True, timeout=LIMIT_S)
    _lead(state, state["standby"])
    _log(state, "flip", before_ns)


def _heal(state: dict[str, Any], _: str) -> None:
    """Start the primary where it is gone, wait until it answers, and lead the name back."""
    primary = state["primary"]
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(Path(state["flip_pid"]).read_text()), signal.SIGKILL)
    subprocess.run(state.get("rebuild", ["true"]), check=True, timeout=2 * LIMIT_S)
    if _gone(int(Path(primary["pid_file"]).read_text())):
        with Path(primary["log"]).open("ab") as log:
            started = subprocess.Popen(primary["start"], stdout=log, stderr=log, start_new_session=True)
        Path(primary["pid_file"]).write_text(str(started.pid))
    ends_s = time.monotonic() + LIMIT_S
    while not _answers(primary["health"]):
        if time.monotonic() > ends_s:
            sys.exit("the primary does not answer")
        time.sleep(0.05)
    before_ns = time.monotonic_ns()
    _lead(state, primary["address"])
    _log(state, "heal", before_ns)


def _database(state: dict[str, Any]) -> list[int]:
    """The server process of the primary's database, where it has one of its own, and all of its children."""
    if "postmaster" not in state["primary"]:
        return []
    postmaster = Path(state["primary"]["postmaster"]).read_text().split()[0]
    children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
    return [int(postmaster), *map(int, children)]


def _lead(state: dict[str, Any], address: str) -> None:
    """Rewrite the record and have the name server read it again."""
    names = state["names"]
    path = Path(names["file"])
    serial = int(time.time() * 10) % 2**31
    path.write_text(names["template"].replace("@ADDRESS@", address).replace("@SERIAL@", str(serial)))
    if "pid" in names:
        os.kill(names["pid"], signal.SIGHUP)
    else:
        subprocess.run(names["reload"], check=True, stdout=subprocess.DEVNULL, timeout=10)


def _log(state: dict[str, Any], what: str, before_ns: int) -> None:
    with Path(state["log"]).open("a") as log:
        log.write(json.dumps({what: [before_ns, time.monotonic_ns()]}) + "\n")


def _gone(pid: int) -> bool:
    """Its descriptors are closed: it is no more, or a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2.0) as answer:
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    main(*sys.argv[1:])
