"""`python -m infra_fixtures.control_plane LAYOUT_JSON`: the AWS API of an embedded run, in one process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from drill.unusable import UnusableInput
from infra_fixtures.control_plane.admin_api import AdminApi
from infra_fixtures.control_plane.change_stream import ChangeStream
from infra_fixtures.control_plane.front import Front
from infra_fixtures.control_plane.moto_server import Moto
from infra_fixtures.processes.parent_death import die_with_starter
from infra_fixtures.run_layout import PRIVATE, RunLayout

SWITCH_INTERVAL_S = 0.001
"""moto's threads hold the interpreter for this long at most while the front waits to pass a call on."""

WARMED = ("ec2", "iam", "kms", "s3", "rds", "secretsmanager", "awslambda", "apigateway", "route53", "logs")
WARMED_AFTER = ("sns", "cloudwatch", "events", "applicationautoscaling", "sts", "cloudfront")
"""What a run will ask for, in the order in which provisioning does."""

MOTO_NAMES = {"awslambda": "lambda", "applicationautoscaling": "application-autoscaling"}
"""botocore's name of a service where moto has another."""


async def serve(layout: RunLayout) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    moto = Moto(layout)
    front = Front(layout, moto, ChangeStream())
    front.admin = AdminApi(front)
    await front.start()
    threading.Thread(target=_warm, args=(moto, layout), daemon=True, name="warm").start()
    await stop.wait()
    await front.stop()


def _warm(moto: Moto, layout: RunLayout) -> None:
    wanted = (*WARMED, *WARMED_AFTER)
    moto.warm(s for s in wanted if not layout.emulators or MOTO_NAMES.get(s, s) in layout.moto_services)
    # What is imported by now stays: the collector need not walk it, which stops every call for 50 ms each time.
    gc.freeze()
    gc.enable()


def main(arguments: list[str]) -> int:
    """Run; 2 where the layout cannot be served."""
    if len(arguments) != 1:
        print("usage: python -m infra_fixtures.control_plane LAYOUT_JSON", file=sys.stderr)
        return 2
    die_with_starter()
    os.umask(PRIVATE)
    path = Path(arguments[0])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.disable()  # until all is imported: nothing of it is garbage
    try:
        layout = RunLayout.load(path)
    except (OSError, ValueError) as e:
        print(f"{path} is not the layout of a run: {e}", file=sys.stderr)
        return 2
    try:
        asyncio.run(serve(layout))
    except UnusableInput as e:
        print(e, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    # moto keeps threads and a second's worth of objects to destroy; there is nothing to save.
    os._exit(status)
