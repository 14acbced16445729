"""What an action of FIS is: its description for the API, and what does it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from infra_fixtures.control_plane.fis.caller import Caller, sentence_of
from infra_fixtures.control_plane.fis.durations import action_seconds
from infra_fixtures.pace import Timer, paced

log = logging.getLogger(__name__)


class ActionFailed(Exception):
    """An action could not be done; the message becomes its state's reason."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that a target may select: its ARN, its tags, and what the API says of it (for filters)."""

    arn: str
    tags: Mapping[str, str]
    said: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The last part of its ARN."""
        return self.arn.rpartition("/")[2].rpartition(":")[2]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an action or a target type; `values` are all that it takes, none: any."""

    description: str
    required: bool = False
    values: tuple[str, ...] = ()


@dataclass(slots=True)
class Acting:
    """An action under way: what it is given, and how it waits, calls and puts back.

    `put_back` runs what was given to it, newest first, when the action ends in whatever way. It is given to it *before* the
    change that it undoes, so each must do nothing where there is nothing to undo.
    """

    parameters: Mapping[str, str]
    targets: Mapping[str, Sequence[Resource]]
    caller: Caller
    account_id: str
    emit: Callable[[str, str, str], None]
    """Tell the run's reconcilers of a change: service, action, resource."""
    paused_replication: set[PausedReplication]
    """What the S3 replicator of this run has to leave alone."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _undo: list[Callable[[], Awaitable[object]]] = field(default_factory=list)

    @property
    def pace(self) -> float:
        """The run's pace."""
        return self.caller.layout.pace

    def put_back(self, undo: Callable[..., Awaitable[object]], /, *args: Any, **kwargs: Any) -> None:
        """Undo this when the action ends."""
        self._undo.append(functools.partial(undo, *args, **kwargs))

    async def hold(self) -> None:
        """Keep what was done for the action's duration, or until it is stopped."""
        await self.wait(action_seconds(self.parameters["duration"]))

    async def wait(self, aws_s: float) -> bool:
        """Wait for so many of AWS's seconds; whether the action goes on, False where it is stopped."""
        return await self.rest(paced(self.pace, Timer.FIS_DURATION, aws_s))

    async def rest(self, real_s: float) -> bool:
        """Wait for so many real seconds; whether the action goes on, False where it is stopped."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(real_s):
                await self.stopping.wait()
        return not self.stopping.is_set()

    async def undo_all(self) -> list[str]:
        """Put everything back; a sentence for each thing that AWS would not let be put back."""
        failed = []
        while self._undo:
            undo = self._undo.pop()
            try:
                await self.caller.until_done(undo)
            except Exception as e:  # the rest is put back all the same
                log.exception("%s could not put something back", self.caller.subject)
                failed.append(sentence_of(e))
        return failed


@dataclass(frozen=True, slots=True)
class PausedReplication:
    """Replication that FIS holds back: from `source` to `region`, for rules to `destinations` and of `prefixes` (none: all)."""

    experiment: str
    source: str
    region: str
    destinations: frozenset[str]
    prefixes: frozenset[str]


Run = Callable[[Acting], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Action:
    """An action of FIS that this model does: `target` is its key in an action's targets and the type of its resources."""

    id: str
    description: str
    run: Run
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    target: tuple[str, str] | None = None


async def unless_gone(codes: Sequence[str], call: Awaitable[Any]) -> Any:
    """Await a call; None where it fails with one of these codes, which say that all is as it should be."""
    try:
        return await call
    except ClientError as e:
        if e.response["Error"].get("Code") in codes:
            return None
        raise


DURATION = Parameter("The duration, from one minute to 12 hours, in ISO 8601 format.", required=True)
