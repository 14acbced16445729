"""A pair of PostgreSQLs from Debian, one streaming to the other, as a script that stands it up, promotes, and puts it back.

`pair.py STATE start|promote|rebuild|stop`; it imports nothing of the harness.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

LIMIT_S = 60.0
LEFT, RIGHT = "left", "right"


class Pair:
    """The pair that a state file describes: programs, the user that they run as, and two nodes."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state
        self._environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PGPASSFILE": state["passfile"]}

    def start(self) -> None:
        """The left one from nothing, the right one as its copy."""
        left = self._state[LEFT]
        password = ["--pwfile", self._state["password_file"], "-A", "scram-sha-256"]
        self._run("initdb", "-D", left["data"], "-U", self._state["user"], *password, "--no-sync")
        self._serve(LEFT)
        self._copy(LEFT, RIGHT)

    def promote(self, name: str = RIGHT) -> None:
        """Make it writable; returns when it is."""
        self._run("pg_ctl", "promote", "-w", "-t", "30", "-D", self._state[name]["data"])

    def rebuild(self) -> None:
        """The left one a copy of the right one, then roles change hands as planned: the left one writes again."""
        self._stop(LEFT, "immediate")
        if not self._in_recovery(RIGHT):
            self._copy(RIGHT, LEFT)
            self._caught_up(RIGHT, LEFT)
            self._stop(RIGHT, "fast")
            self.promote(LEFT)
        else:
            self._serve(LEFT)
            self._stop(RIGHT, "fast")
        self._copy(LEFT, RIGHT)

    def stop(self) -> None:
        """Both."""
        for name in (LEFT, RIGHT):
            self._stop(name, "immediate")

    def _copy(self, source: str, target: str) -> None:
        shutil.rmtree(self._state[target]["data"], ignore_errors=True)
        node = self._state[source]
        where = ["-h", node["host"], "-p", str(node["port"]), "-U", self._state["user"]]
        self._run(
            "pg_basebackup", "-D", self._state[target]["data"], *where, "-R", "-X", "stream", "-c", "fast", "--no-sync"
        )
        self._serve(target)

    def _serve(self, name: str) -> None:
        node = self._state[name]
        options = f"-c listen_addresses={node['host']} -c port={node['port']} -c unix_socket_directories= -c fsync=off"
        self._run("pg_ctl", "start", "-w", "-D", node["data"], "-l", node["log"], "-o", options)

    def _stop(self, name: str, mode: str) -> None:
        """Whatever is left of it is killed."""
        data = self._state[name]["data"]
        if Path(data, "postmaster.pid").exists():
            with contextlib.suppress(subprocess.CalledProcessError):
                self._run("pg_ctl", "stop", "-w", "-m", mode, "-D", data)
        for pid in _working_in(data):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        Path(data, "postmaster.pid").unlink(missing_ok=True)

    def _in_recovery(self, name: str) -> bool:
        return self._asked(name, "SELECT pg_is_in_recovery()") == "t"

    def _caught_up(self, source: str, target: str) -> None:
        place = self._asked(source, "SELECT pg_current_wal_flush_lsn()")
        ends_s = time.monotonic() + LIMIT_S
        while self._asked(target, f"SELECT pg_last_wal_replay_lsn() >= '{place}'") != "t":
            if time.monotonic() > ends_s:
                sys.exit("the copy does not catch up")
            time.sleep(0.05)

    def _asked(self, name: str, query: str) -> str:
        node = self._state[name]
        where = ["-h", node["host"], "-p", str(node["port"]), "-U", self._state["user"], "-d", "postgres"]
        return self._run("psql", *where, "-At", "-c", query).strip()

    def _run(self, program: str, *words: str) -> str:
        with Path(self._state["log"]).open("a") as log:
            done = subprocess.run(
                [str(Path(self._state["bin"], program)), *words],
                user=self._state["uid"], cwd=self._state["home"], env=self._environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if program == "psql" else log, stderr=log, text=True, timeout=LIMIT_S, check=True,
            )  # fmt: skip
        return done.stdout or ""


def _working_in(data: str) -> list[int]:
    """PostgreSQL's processes of that directory."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str((place / "cwd").readlink()) == data:
                found.append(int(place.name))
    return found


if __name__ == "__main__":
    getattr(Pair(json.loads(Path(sys.argv[1]).read_text())), sys.argv[2])()
