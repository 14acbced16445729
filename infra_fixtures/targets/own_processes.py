"""The processes that an embedded run starts itself, the AWS API's and the data plane's: started, awaited, asked, stopped."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drill.unusable import UnusableInput
from drill.wait import wait_until
from infra_fixtures.site import Site, child_environment

STAND_UP_TIMEOUT_S = 60.0


def _log_of(site: Site, module: str) -> Path:
    return Path(site.work_dir) / f"{module.rpartition('.')[2]}.log"


def start(site: Site, module: str) -> subprocess.Popen[bytes]:
    """Start one, by its module; what it says goes to a log in the run's directory."""
    with _log_of(site, module).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", module, str(site.path)],
            env=child_environment(site),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def await_control_plane(site: Site, processes: list[subprocess.Popen[bytes]]) -> None:
    """Wait until the AWS API answers; UnusableInput where one of the processes has ended meanwhile."""
    url = f"{site.internal.url}/_drill/ready"
    wait_until(lambda: _all_alive(site, processes) and answers(url), what="the AWS API to answer", timeout_s=30)


def await_data_plane(site: Site, processes: list[subprocess.Popen[bytes]]) -> None:
    """Wait until the backbone says that every part serves; a late part is named."""
    limit = time.monotonic() + STAND_UP_TIMEOUT_S
    awaited = "nothing heard of it"
    while time.monotonic() < limit:
        _all_alive(site, processes)
        try:
            with urllib.request.urlopen(f"{site.backbone.url}/ready", timeout=2):
                return
        except urllib.error.HTTPError as e:
            awaited = e.read().decode(errors="replace")
        except OSError:
            pass
        time.sleep(0.05)
    raise TimeoutError(f"the data plane did not come up within {STAND_UP_TIMEOUT_S:g} s; it waits for: {awaited}")


def _all_alive(site: Site, processes: list[subprocess.Popen[bytes]]) -> bool:
    for process in processes:
        if process.poll() is not None:
            name = str(process.args[2]) if isinstance(process.args, list) else "process"
            last = (_log_of(site, name).read_text(errors="replace").strip().splitlines() or ["(no output)"])[-1]
            raise UnusableInput(f"{name} ended with status {process.returncode} while standing up: {last}")
    return True


def failure(site: Site) -> str | None:
    """Which part of the control plane died unasked, as a sentence; None while all live."""
    try:
        with urllib.request.urlopen(f"{site.internal.url}/_drill/failure", timeout=2) as answer:
            said: str | None = json.load(answer)["failure"]
            return said
    except OSError as e:
        return f"the AWS API of run {site.run_id} does not answer: {e}"


def answers(url: str | urllib.request.Request) -> bool:
    """Whether a GET is answered with success within a second."""
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False


def stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask each to end, which ends what it started; the sweep that follows finds any rest."""
    for process in reversed(processes):
        if process.poll() is None:
            process.terminate()
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=2.5)
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()


def backbone(site: Site, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Call the control API of the process that spans regions and return its JSON answer.

    Raises RuntimeError with the backbone's own words where it refuses.
    """
    request = urllib.request.Request(
        site.backbone.url + path,
        data=json.dumps(body or {}).encode(),
        headers={"content-type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: dict[str, Any] = json.loads(response.read() or b"{}")
            return answer
    except urllib.error.HTTPError as e:
        raise RuntimeError(f"{method} {path}: {e.code} {e.read().decode(errors='replace')[:300]}") from e
