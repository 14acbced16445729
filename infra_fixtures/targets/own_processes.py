"""The processes that an embedded run starts itself, the AWS API's and the data plane's: started, awaited, asked, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drill.unusable import UnusableInput
from drill.wait import wait_until
from infra_fixtures.gate import EVERYWHERE, GateNotPassed, gate
from infra_fixtures.internal_api.own_http import open_own
from infra_fixtures.processes.endings import how_ended
from infra_fixtures.processes.parent_death import PARENT_VARIABLE
from infra_fixtures.run_layout import RunLayout, child_environment

STAND_UP_TIMEOUT_S = 60.0
CALL_LIMIT_S = 120.0
"""Longer than the global process itself takes to give a region back or to say that it cannot."""
PUBLIC = 0o022


@dataclass(frozen=True, slots=True)
class Started:
    """A process that the harness started: the part it is, and where what it says goes, if anywhere."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path | None = None


def start(layout: RunLayout, name: str, module: str) -> Started:
    """Start one, by its module; what it says goes to a log in the run's directory."""
    path = Path(layout.work_dir) / f"{module.rpartition('.')[2]}.log"
    path.touch(mode=0o600)
    with path.open("ab") as log:
        popen = subprocess.Popen(
            [sys.executable, "-m", module, str(layout.path)],
            env=child_environment(layout, **{PARENT_VARIABLE: str(os.getpid())}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=PUBLIC,  # PostgreSQL's user passes through directories that these processes make
        )
    return Started(name, popen, path)


def await_control_plane(layout: RunLayout, processes: Sequence[Started]) -> None:
    """Wait until the AWS API answers; UnusableInput where one of the processes has ended meanwhile."""
    ready = _asking(layout, f"{layout.internal.url}/_drill/ready")
    with gate(EVERYWHERE, "the AWS API"):
        wait_until(lambda: require_alive(processes) and answers(ready), what="the AWS API to answer", timeout_s=30)


def await_data_plane(layout: RunLayout, check: Callable[[], object]) -> None:
    """Wait until the global process says that every part serves; raises GateNotPassed, which names a late part.

    `check` raises where there is nothing to wait for any more.
    """
    limit = time.monotonic() + STAND_UP_TIMEOUT_S
    awaited = "nothing heard of it"
    while time.monotonic() < limit:
        check()
        try:
            with open_own(_asking(layout, f"{layout.global_process.url}/ready"), 2):
                return
        except urllib.error.HTTPError as e:
            awaited = e.read().decode(errors="replace")
        except OSError:
            pass
        time.sleep(0.05)
    region = next((r.name for r in layout.regions if r.name in awaited), EVERYWHERE)
    raise GateNotPassed(
        region, f"the data plane did not come up within {STAND_UP_TIMEOUT_S:g} s; it waits for: {awaited}"
    )


def require_alive(processes: Sequence[Started]) -> bool:
    """True; UnusableInput where one has ended."""
    for process in processes:
        status = process.popen.poll()
        if status is not None:
            end = how_ended(process.popen.pid, status, process.log)
            raise UnusableInput(f"the {process.name} ended while the system was stood up: {end}")
    return True


def failure(layout: RunLayout) -> str | None:
    """Which emulator behind the AWS API died unasked, as a sentence; None while all live, or where nobody can say."""
    try:
        with open_own(_asking(layout, f"{layout.internal.url}/_drill/failure"), 2) as answer:
            said: str | None = json.load(answer)["failure"]
            return said
    except OSError:
        return None


def answers(url: str | urllib.request.Request) -> bool:
    """Whether one of the run's own processes answers a GET with success within a second."""
    try:
        with open_own(url, 1):
            return True
    except OSError:
        return False


def _asking(layout: RunLayout, url: str) -> urllib.request.Request:
    return urllib.request.Request(url, headers=layout.credentials.bearer)


def stop(processes: Sequence[Started]) -> None:
    """Ask each to end, which ends what it started; the sweep that follows finds any rest."""
    started = [p.popen for p in processes]
    for process in reversed(started):
        if process.poll() is None:
            process.terminate()
    for process in started:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=2.5)
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


def call_global_process(
    layout: RunLayout, method: str, path: str, body: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Call the control API of the process that spans regions and return its JSON answer.

    Raises RuntimeError with the global process's own words where it refuses.
    """
    request = urllib.request.Request(
        layout.global_process.url + path,
        data=json.dumps(body or {}).encode(),
        headers={"content-type": "application/json", **layout.credentials.bearer},
        method=method,
    )
    try:
        with open_own(request, CALL_LIMIT_S) as response:
            answer: dict[str, Any] = json.loads(response.read() or b"{}")
            return answer
    except urllib.error.HTTPError as e:
        raise RuntimeError(f"{method} {path}: {e.code} {e.read().decode(errors='replace')[:300]}") from e
