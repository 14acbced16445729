"""aws:executeScript: runs a document's Python as the automation's role, and as the user that functions run as.

https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeScript.html: a handler (events, context),
ten minutes at most. Its sleeps take their real time at every pace.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra_fixtures.control_plane.automation.reach import SERVICES
from infra_fixtures.processes.parent_death import die_with_parent
from infra_fixtures.run_layout import RUN_ID_VARIABLE, RunLayout

log = logging.getLogger(__name__)

LIMIT_S = 600.0
MAIN = Path(__file__).with_name("script_main.py")


class ScriptFailed(Exception):
    """A script raised, ran too long, or called what is not here; the message is the step's failure message."""


async def run_script(
    layout: RunLayout, region: str, role_arn: str, script: str, handler: str, payload: Mapping[str, Any]
) -> Any:
    """What the handler returned; raises ScriptFailed. Cancelled, the process is killed."""
    key = layout.credentials.of_role(role_arn)
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/nonexistent",
        "PYTHONUTF8": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_SESSION_TOKEN": key.token,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": layout.region(region).aws.url,
        RUN_ID_VARIABLE: layout.run_id,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(MAIN),
        env=environment, cwd="/", preexec_fn=die_with_parent,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    asked = {
        "script": script, "handler": handler, "payload": payload, "uid": layout.worker_uid, "services": sorted(SERVICES)
    }  # fmt: skip
    try:
        async with asyncio.timeout(LIMIT_S):
            answer, said = await process.communicate(json.dumps(asked).encode())
    except TimeoutError:
        raise ScriptFailed(f"the script ran longer than {LIMIT_S:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    log.info("script %s said: %s", handler, said.decode(errors="replace").strip())
    return _payload(answer, process.returncode, said)


def _payload(answer: bytes, status: int | None, said: bytes) -> Any:
    try:
        found = json.loads(answer)
    except ValueError:
        raise ScriptFailed(
            f"the script's process ended with {status}: {said.decode(errors='replace')[-500:]}"
        ) from None
    if found["refused"]:
        called = ", ".join(dict.fromkeys(found["refused"]))
        raise ScriptFailed(f"the script called {called}, which this model of AWS does not have")
    if "error" in found:
        raise ScriptFailed(found["error"])
    return found["payload"]
