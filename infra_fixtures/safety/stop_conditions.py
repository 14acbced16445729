"""What ends a drill at once, whatever else was planned: each a frozen value, one `[[stop]]` table of a TOML file.

Whether it is met is asked by a StopWatch, beside the drill. Met means: the drill ends, the fault is healed, the records are
written, and the verdict is UNPROVEN, naming the condition. A probe or a process that dies ends a drill without any of
these.
"""

from __future__ import annotations

import datetime as dt
import math
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Protocol

import msgspec
import polars as pl

from drill.history import NS, Sample
from drill.unusable import UnusableInput

SHORTEST_S, LONGEST_S = 0.1, 86_400.0
UNCATCHABLE = frozenset({"SIGKILL", "SIGSTOP"})


@dataclass(frozen=True, slots=True)
class Sight:
    """What conditions look at. Times of `ops` and `samples` are ns since `t0_ns` of time.monotonic_ns().

    client: a boto3 client by service and region. samples: in the order in which they were told.
    """

    client: Callable[[str, str], Any]
    ops: Callable[[], pl.DataFrame]
    samples: Callable[[], Sequence[Sample]]
    t0_ns: int
    signals: Callable[[], frozenset[str]] = frozenset

    def now_ns(self) -> int:
        """Now, on the clock of ops and samples."""
        return time.monotonic_ns() - self.t0_ns


class Condition(Protocol):
    """Ends the drill once it is met."""

    @property
    def kind(self) -> str:
        """Its kind, in a word."""

    @property
    def every_s(self) -> float:
        """How often it is asked."""

    def met(self, sight: Sight) -> str:
        """The sentence that says that it is met and by what; "" while it is not. Raises where it cannot be told."""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind"):
    """A condition that a `[[stop]]` table of a file says."""

    @property
    def kind(self) -> str:
        """Its kind, in a word."""
        return str(self.__struct_config__.tag)


class Alarm(Table, frozen=True, tag="alarm"):
    """A CloudWatch alarm is in `state`; one that is not there cannot warn anybody, and counts as met."""

    every_s: ClassVar[float] = 1.0
    name: Annotated[str, msgspec.Meta(min_length=1)]
    region: str
    state: Literal["ALARM", "OK", "INSUFFICIENT_DATA"] = "ALARM"

    def met(self, sight: Sight) -> str:
        """Ask CloudWatch."""
        cloudwatch = sight.client("cloudwatch", self.region)
        found = cloudwatch.describe_alarms(AlarmNames=[self.name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        alarms = [*found.get("MetricAlarms", ()), *found.get("CompositeAlarms", ())]
        if not alarms:
            return f"there is no alarm {self.name} in {self.region}"
        if alarms[0]["StateValue"] != self.state:
            return ""
        return f"the alarm {self.name} in {self.region} is in {self.state}: {alarms[0].get('StateReason', '')}"

    def __str__(self) -> str:
        return f"the alarm {self.name} in {self.region} is in {self.state}"


class Beyond(Table, frozen=True, tag="sample"):
    """Every sample of a metric and subject is above (or below) a limit for `for_s` seconds on end; 0: a single one."""

    every_s: ClassVar[float] = 0.25
    metric: str
    subject: str
    above: float | None = None
    below: float | None = None
    for_s: float = 0.0

    def __post_init__(self) -> None:
        limit = self.below if self.above is None else self.above
        if limit is None or (self.above is not None and self.below is not None):
            raise UnusableInput(f"a stop condition on {self.metric} needs either above or below")
        if not math.isfinite(limit):
            raise UnusableInput(f"a stop condition on {self.metric} has the limit {limit}: give a finite number")
        _require_for_s(self.metric, self.for_s, least=0.0)

    def met(self, sight: Sight) -> str:
        """Look back from the newest sample as far as all are beyond."""
        newest = oldest = None
        for sample in reversed(sight.samples()):
            if (sample.metric, sample.subject) != (self.metric, self.subject):
                continue
            if not self._is_beyond(sample.value):
                break
            newest, oldest = newest or sample, sample
        if newest is None or oldest is None or newest.at_ns - oldest.at_ns < self.for_s * NS:
            return ""
        return f"{self}: {newest.value:g}"

    def _is_beyond(self, value: float) -> bool:
        return value > self.above if self.above is not None else value < (self.below or 0.0)

    def __str__(self) -> str:
        which = f"above {self.above:g}" if self.above is not None else f"below {self.below:g}"
        held = f" for {self.for_s:g} s" if self.for_s else ""
        return f"{self.metric} of {self.subject} is {which}{held}"


class FailedShare(Table, frozen=True, tag="failed"):
    """More than this share of all requests that ended in the last `for_s` seconds were not OK.

    A fault that bites does just that for a while: choose `for_s` longer than the outage that the drill is about.
    """

    every_s: ClassVar[float] = 0.25
    above: float
    for_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.above < 1:
            raise UnusableInput(
                f"a stop condition of kind failed has above = {self.above}: give a share of 0 or more, below 1"
            )
        _require_for_s("failed requests", self.for_s, least=SHORTEST_S)

    def met(self, sight: Sight) -> str:
        """Count them, once there is as much to look back on."""
        since_ns = sight.now_ns() - round(self.for_s * NS)
        ops = sight.ops()
        if ops.filter(pl.col("intended_ns") <= since_ns).is_empty():
            return ""
        ended = ops.filter(pl.col("ended_ns") >= since_ns)
        if ended.is_empty():
            return ""
        failed = ended.filter(pl.col("outcome") != "ok").height / ended.height
        return (
            f"{failed:.0%} of {ended.height} requests of the last {self.for_s:g} s failed"
            if failed > self.above
            else ""
        )

    def __str__(self) -> str:
        return f"more than {self.above:.0%} of requests fail for {self.for_s:g} s"


class FileAppears(Table, frozen=True, tag="file"):
    """A person made a file; one that is there from before stops the drill as well."""

    every_s: ClassVar[float] = 0.1
    path: Annotated[str, msgspec.Meta(min_length=1, pattern=r"^[^\x00]*$")]

    def met(self, sight: Sight) -> str:
        """Look for it."""
        return f"{self}: remove it before the next drill" if Path(self.path).exists() else ""

    def __str__(self) -> str:
        return f"the file {self.path} is there"


class SignalCame(Table, frozen=True, tag="signal"):
    """A person sent a signal to the harness, such as SIGUSR1."""

    every_s: ClassVar[float] = 0.1
    name: str = "SIGUSR1"

    def __post_init__(self) -> None:
        if self.name not in signal.Signals.__members__:
            raise UnusableInput(f"{self.name} is no signal: write SIGUSR1")
        if self.name in UNCATCHABLE:
            raise UnusableInput(f"{self.name} can be caught by nobody, and so stops no drill: write SIGUSR1")

    def met(self, sight: Sight) -> str:
        """Whether it came."""
        return str(self) if self.name in sight.signals() else ""

    def __str__(self) -> str:
        return f"{self.name} came"


class Until(Table, frozen=True, tag="until"):
    """The time is over in which something may be broken."""

    every_s: ClassVar[float] = 0.25
    at: dt.datetime

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise UnusableInput(f"{self.at} is no moment with a time zone: write at = 2026-12-01T04:00:00Z")

    def met(self, sight: Sight) -> str:
        """Look at the clock."""
        return str(self) if dt.datetime.now(dt.UTC) >= self.at else ""

    def __str__(self) -> str:
        return f"the window ended at {self.at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


Readable = Alarm | Beyond | FailedShare | FileAppears | SignalCame | Until
KINDS: Mapping[str, type[Readable]] = {
    str(cls.__struct_config__.tag): cls for cls in (Alarm, Beyond, FailedShare, FileAppears, SignalCame, Until)
}


def _require_for_s(what: str, for_s: float, least: float) -> None:
    if not least <= for_s <= LONGEST_S:
        raise UnusableInput(
            f"a stop condition on {what} has for_s = {for_s}: give seconds from {least:g} to {LONGEST_S:g}"
        )


def from_tables(tables: Sequence[Mapping[str, Any]]) -> tuple[Readable, ...]:
    """The conditions of a file's `[[stop]]` tables; raises UnusableInput for one that is none."""
    return tuple(_from_table(table) for table in tables)


def _from_table(table: Mapping[str, Any]) -> Readable:
    kind = str(table.get("kind", ""))
    if kind not in KINDS:
        raise UnusableInput(f"a stop condition of kind {kind!r} is unknown: write one of {', '.join(KINDS)}")
    try:
        return msgspec.convert(table, type=KINDS[kind])
    except msgspec.ValidationError as e:
        raise UnusableInput(f"a stop condition of kind {kind} is not understood: {e}") from e
