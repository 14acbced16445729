"""Where workers' output goes: CloudWatch Logs, in batches and in the background, and a file in the work directory.

An invocation only appends to a list; what it costs to ship a line is paid later, off its path. The file has every
line. CloudWatch gets all that functions print and all of a failed invocation, but START, END and REPORT of successful
ones only for SHIPPED_REPORTS_A_S invocations a second: the control plane keeps each event in memory for good, and at
hundreds of orders a second its garbage collector would be felt in the drill.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from pathlib import Path

import aiohttp

from infra_fixtures.data_plane.lambda_runtime.definition import FunctionDefinition
from infra_fixtures.internal_api.aws_json import AwsError, JsonService
from infra_fixtures.run_layout import RunLayout

log = logging.getLogger(__name__)

FILE_EVERY_S = 0.5
SHIP_EVERY_S = 5.0
"""CloudWatch shows a function's log some seconds late, as on AWS; one call a worker and five seconds is cheap."""
MOST_EVENTS_A_CALL = 5_000
MOST_BYTES_A_CALL = 900_000
"""PutLogEvents takes at most 10,000 events and 1,048,576 bytes, 26 bytes an event included."""
SHIPPED_REPORTS_A_S = 20
MOST_BUFFERED_EVENTS = 50_000
"""What one stream holds while CloudWatch is not to be had; older lines are then only in the file."""


class LogStream:
    """The log of one worker."""

    def __init__(self, shipper: LogShipper, group: str, function: str, version: str) -> None:
        unique = uuid.uuid4().hex
        self.group = group
        self.name = f"{time.strftime('%Y/%m/%d', time.gmtime())}/[{version}]{unique}"
        self.label = f"{function} {unique[:8]}"
        self.made = False
        self.to_file: list[tuple[int, str]] = []
        self.to_ship: list[tuple[int, str]] = []
        self._shipper = shipper

    def line(self, text: str, *, ship: bool = True) -> None:
        """Note one log event, now; without `ship` only the file gets it."""
        event = (time.time_ns() // 1_000_000, text)
        self.to_file.append(event)
        if ship:
            self.to_ship.append(event)
        self._shipper.touched.add(self)


class LogShipper:
    """Carries the streams of one region's Lambda service."""

    def __init__(self, layout: RunLayout, region: str, path: Path) -> None:
        self._path = path
        self._logs = JsonService(layout, region, scope="logs", target="Logs_20140328", version="1.1")
        self._unshipped: set[LogStream] = set()
        self.touched: set[LogStream] = set()
        self._second = 0
        self._reports = 0

    def may_ship_report(self) -> bool:
        """Whether another successful invocation's START, END and REPORT may be shipped this second."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._reports = second, 0
        self._reports += 1
        return self._reports <= SHIPPED_REPORTS_A_S

    def stream(self, definition: FunctionDefinition) -> LogStream:
        """A fresh stream for one worker of a function."""
        return LogStream(self, definition.log_group, definition.name, definition.version)

    async def run(self) -> None:
        """Write and ship until cancelled."""
        due_s = time.monotonic() + SHIP_EVERY_S
        while True:
            await asyncio.sleep(FILE_EVERY_S)
            self.write()
            if time.monotonic() >= due_s:
                await self.ship()
                due_s = time.monotonic() + SHIP_EVERY_S

    def write(self) -> None:
        """Append what is new to the file."""
        touched, self.touched = self.touched, set()
        self._unshipped |= touched
        lines = sorted(((at, s.label, text) for s in touched for at, text in s.to_file), key=lambda e: e[:2])
        for s in touched:
            s.to_file.clear()
        if lines:
            with self._path.open("a", encoding="utf-8") as f:
                f.writelines(f"{_utc(at)} {label} {text}\n" for at, label, text in lines)

    async def ship(self) -> None:
        """Put what is new to CloudWatch Logs; what cannot be put waits for the next time."""
        streams, self._unshipped = self._unshipped, set()
        for stream in streams:
            try:
                await self._put(stream)
            except (AwsError, aiohttp.ClientError, OSError, TimeoutError) as e:
                log.warning("log of %s not shipped: %s", stream.label, e)
                del stream.to_ship[:-MOST_BUFFERED_EVENTS]
                self._unshipped.add(stream)

    async def close(self) -> None:
        """Write what is left to the file and let go."""
        self.write()
        await self._logs.close()

    async def _put(self, stream: LogStream) -> None:
        if not stream.made:
            await self._make(stream)
        while stream.to_ship:
            count = _fitting(stream.to_ship)
            events = [{"timestamp": at, "message": text} for at, text in stream.to_ship[:count]]
            await self._logs.call(
                "PutLogEvents", {"logGroupName": stream.group, "logStreamName": stream.name, "logEvents": events}
            )
            del stream.to_ship[:count]

    async def _make(self, stream: LogStream) -> None:
        where = {"logGroupName": stream.group, "logStreamName": stream.name}
        try:
            await self._logs.call("CreateLogStream", where)
        except AwsError as e:
            if e.code == "ResourceNotFoundException":  # Lambda makes a missing group itself
                with contextlib.suppress(AwsError):
                    await self._logs.call("CreateLogGroup", {"logGroupName": stream.group})
                await self._logs.call("CreateLogStream", where)
            elif e.code != "ResourceAlreadyExistsException":
                raise
        stream.made = True


def _fitting(events: list[tuple[int, str]]) -> int:
    size = 0
    for count, (_, text) in enumerate(events[:MOST_EVENTS_A_CALL]):
        size += 4 * len(text) + 26
        if size > MOST_BYTES_A_CALL and count > 0:
            return count
    return min(len(events), MOST_EVENTS_A_CALL)


def _utc(ms: int) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(ms // 1000))}.{ms % 1000:03d}Z"
