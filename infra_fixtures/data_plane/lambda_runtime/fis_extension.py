"""FIS's Lambda extension as it works in a function's environment: polls its location in S3 as the function's role.

It goes through the function's own way to AWS (the egress link), so that what cuts that off keeps new faults from it. A function
without the layer, the wrapper or the location has no extension, and nothing is done to it. Here one extension serves all
environments of a function; on AWS each has its own and polls at its own time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from infra_fixtures.data_plane.lambda_runtime.definition import FunctionDefinition
from infra_fixtures.fis_lambda import POLL_VARIABLE, InvocationFault, folder, has_extension, location
from infra_fixtures.internal_api.clients import call, client_as
from infra_fixtures.pace import Timer, paced
from infra_fixtures.run_layout import RunLayout

log = logging.getLogger(__name__)


class FisExtension:
    """The faults that hold for a function; `close` it when its environments are no more."""

    def __init__(self, layout: RunLayout, region: str, definition: FunctionDefinition) -> None:
        self._layout = layout
        self._region = region
        self._definition = definition
        self._faults: Sequence[InvocationFault] = ()
        self._polling: asyncio.Task[None] | None = None
        if has_extension(definition.environment, definition.layers):
            self._polling = asyncio.get_running_loop().create_task(self._poll())

    def fault(self) -> InvocationFault | None:
        """What is done to an invocation that begins now."""
        now_s = time.time()
        return next((f for f in self._faults if f.hits(now_s)), None)

    def close(self) -> None:
        """Stop polling."""
        if self._polling is not None:
            self._polling.cancel()
            self._polling = None

    async def _poll(self) -> None:
        told = self._definition.environment.get(POLL_VARIABLE, "")
        every_s = paced(self._layout.pace, Timer.FIS_EXTENSION_POLL, float(told) if told.isdecimal() else None)
        while True:
            with contextlib.suppress(BotoCoreError, ClientError, msgspec.MsgspecError, OSError):
                self._faults = await call(self._read)
            await asyncio.sleep(every_s)

    def _read(self) -> list[InvocationFault]:
        where = location(self._definition.environment)
        assert where is not None, "without a location nothing is polled"
        bucket, prefix = where
        url = self._layout.region(self._region).egress.url
        s3 = client_as(self._layout, self._definition.role, "s3", self._region, url=url)
        unqualified = ":".join(self._definition.arn.split(":")[:7])
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=folder(prefix, unqualified)).get("Contents", ())
        return [
            msgspec.json.decode(s3.get_object(Bucket=bucket, Key=o["Key"])["Body"].read(), type=InvocationFault)
            for o in sorted(listed, key=lambda o: str(o["Key"]))
        ]
