"""The marks of an imported drill: the fault by the command line or by AWS's own log, the baseline before it, the end.

The baseline is all of the load before the fault. Observation ends one longest answer before the last one in the file: what was
still open when the tool ended is not in it, so nobody can say that all was well to the very end.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from drill.imports.aws_log import Told
from drill.imports.instant import Instant
from drill.objective import nearest
from drill.records import NS, Mark
from drill.unusable import UnusableInput

BEGIN, EFFECTIVE, HEALED = "fault.begin", "fault.effective", "fault.healed"
EVENTS = (
    "drill.baseline",
    "drill.end",
    BEGIN,
    EFFECTIVE,
    HEALED,
    "degraded.begin",
    "health_check.unhealthy",
    "health_check.healthy",
    "dns.answer",
    "alarm.state",
    "controller.invoked",
    "promotion.begin",
    "promotion.end",
)


@dataclass(frozen=True, slots=True)
class Span:
    """When the first and the last request of a file began, and the latest time at which it surely holds all there was.

    What the marks call `t` may be anything in (`t` - `early_ns`, `t` + `late_ns`) by the file's clock: its times are cut, and
    the clocks differ.
    """

    first_ns: int
    last_ns: int
    whole_until_ns: int
    early_ns: int = 0
    late_ns: int = 0


def given(texts: Iterable[str]) -> list[tuple[str, Instant, str]]:
    """(event, time, detail) of each EVENT=TIME or EVENT=TIME,DETAIL; raises UnusableInput."""
    found = []
    for text in texts:
        event, equals, rest = text.partition("=")
        time, _, detail = rest.partition(",")
        if not equals:
            raise UnusableInput(f"--mark {text}: give EVENT=TIME, such as fault.begin=2026-11-27T10:00:00.000Z")
        if event not in EVENTS:
            raise UnusableInput(f"--mark {text}: there is no event {event}; {nearest(event, EVENTS)}")
        found.append((event, Instant.of(time, f"--mark {event}"), detail))
    return found


def marks_of(span: Span, said: list[tuple[str, Instant, str]], log: Told | None) -> list[Mark]:
    """All marks, times since the epoch; raises UnusableInput where the fault is told twice, or not within the load."""
    times: Mapping[str, Instant] = {event: at for event, at, _ in reversed(said)}
    if log is not None and (BEGIN in times or EFFECTIVE in times):
        raise UnusableInput("the fault is told twice, by a time and by a log of AWS: give one of them")
    if EFFECTIVE in times and BEGIN not in times:
        raise UnusableInput("fault.effective is given without fault.begin: say since when it may have struck, too")
    found = [
        Mark(at.ns, event, "command line", detail) for event, at, detail in said if event not in (BEGIN, EFFECTIVE)
    ]
    bracket, who, detail = None, "", ""
    if log is not None:
        bracket = log.begin_ns, log.effective_ns
        who, detail = log.subject, log.detail
        if log.healed_ns is not None and HEALED not in times:
            found.append(Mark(log.healed_ns, HEALED, log.subject, log.detail))
    elif BEGIN in times:
        bracket = times[BEGIN].ns, times.get(EFFECTIVE, times[BEGIN]).latest_ns
        who, detail = "command line", next(detail for event, _, detail in said if event == BEGIN)
    if bracket is not None:
        _refuse_outside(span, bracket)
        found.append(Mark(bracket[0] - span.early_ns, BEGIN, who, detail))
        found.append(Mark(bracket[1] + span.late_ns, EFFECTIVE, who, detail))
    if "drill.baseline" not in times:
        found.append(Mark(span.first_ns, "drill.baseline", "load", "all of it before the fault"))
    if "drill.end" not in times:
        found.append(Mark(span.whole_until_ns, "drill.end", "load", "the file is whole until then"))
    return sorted(found, key=lambda m: m.at_ns)


def _refuse_outside(span: Span, bracket: tuple[int, int]) -> None:
    begin_ns, effective_ns = bracket
    if effective_ns < begin_ns:
        raise UnusableInput(
            f"the fault took effect at {utc(effective_ns)}, before it began at {utc(begin_ns)}: mend one of the times"
        )
    if not span.first_ns < begin_ns < span.last_ns:
        raise UnusableInput(
            f"the fault at {utc(begin_ns)} is not within the load, which was sent from {utc(span.first_ns)} to "
            f"{utc(span.last_ns)}: mend the time or its zone, or give the file of that load"
        )


def utc(ns: int) -> str:
    """ISO 8601 with milliseconds."""
    at = dt.datetime.fromtimestamp(ns // NS, dt.UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{ns % NS // 1_000_000:03d}Z"
