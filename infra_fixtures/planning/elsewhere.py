"""Faults rehearsed before anything stands: the whole system is made in an emulated account, by a process of its own.

A target that has `emulated(run)` gives such an account and the run as it would be there: the same game day file, names and
provisioning. What is found there is what will be called; ids that AWS makes up are others.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from drill.unusable import UnusableInput
from infra_fixtures.faults.fault import NotSupported
from infra_fixtures.faults.schedule import Schedule
from infra_fixtures.planning.walk import PlannedFault, announced, walked
from infra_fixtures.safety.call_log import CALLS, read_calls
from infra_fixtures.safety.journal import Header, Journal
from infra_fixtures.safety.rehearsal import Planned
from infra_fixtures.targets import module_of
from infra_fixtures.targets.parts import MissingPart
from infra_fixtures.targets.target_config import TargetConfig

LIMIT_S = 300.0
NOT_WALKED = "its calls are not known before the system stands; the guard judges each"
REHEARSED_ELSEWHERE = "rehearsed in an emulated account: ids that AWS makes up will be others"


class Asked(msgspec.Struct, frozen=True):
    """What the process is given: the run there, and `[[faults]]` tables."""

    run: Header
    faults: list[dict[str, Any]]


class Found(msgspec.Struct, frozen=True):
    """What it answers. makes: the calls that make the system. refused: the sentence, where something is not allowed; lacks:
    where the target cannot play it."""

    faults: tuple[PlannedFault, ...] = ()
    makes: tuple[Planned, ...] = ()
    refused: str = ""
    lacks: str = ""


def found_elsewhere(module: Any, run: Header, schedule: Schedule) -> Found:
    """Rehearse there, where the target can; else what is known without. Raises UnusableInput for what is not allowed, and
    MissingPart for what the target cannot play."""
    if not hasattr(module, "emulated"):
        return Found(announced(schedule, NOT_WALKED))
    with module.emulated(run) as there:
        if there is None:
            return Found(announced(schedule, NOT_WALKED))
        told, environment = there
        with tempfile.TemporaryDirectory(prefix="failover-drill-rehearsal-") as place:
            asked = Asked(msgspec.structs.replace(told, records=place), schedule.to_tables())
            found = _asked(asked, environment, schedule)
    if found.refused:
        raise UnusableInput(found.refused)
    if found.lacks:
        raise MissingPart(found.lacks)
    return found


def _asked(asked: Asked, environment: dict[str, str], schedule: Schedule) -> Found:
    """The answer of the process; where it has none, the plan says why."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=msgspec.json.encode(asked),
            env=environment,
            capture_output=True,
            timeout=LIMIT_S,
        )
        return msgspec.json.decode(done.stdout, type=Found)
    except (subprocess.TimeoutExpired, msgspec.DecodeError) as e:
        last = [] if isinstance(e, subprocess.TimeoutExpired) else done.stderr.decode(errors="replace").split("\n")
        why = next((line.strip() for line in reversed(last) if line.strip()), f"it did not end within {LIMIT_S:g} s")
        return Found(announced(schedule, f"{NOT_WALKED} (no rehearsal: {why})"))


def _rehearse(asked: Asked) -> Found:
    """Make the system, and rehearse the faults on it."""
    run, place = asked.run, Path(asked.run.records)
    schedule = Schedule.from_tables(asked.faults, source="the scenario")
    journal = Journal(place)
    config = TargetConfig(run, journal, None)  # type: ignore[arg-type]  # nothing outlives this process
    try:
        with module_of(run.target).stand(config) as world:
            makes = tuple(Planned(c.service, c.operation, c.region, c.resources) for c in read_calls(place / CALLS))
            faults = walked(world, schedule)
    except UnusableInput as e:
        return Found(refused=str(e))
    except (NotSupported, MissingPart) as e:
        return Found(lacks=str(e))
    finally:
        journal.close()
    told = tuple(
        msgspec.structs.replace(fault, note="; ".join(filter(None, (fault.note, REHEARSED_ELSEWHERE))))
        for fault in faults
    )
    return Found(told, makes)


if __name__ == "__main__":
    answer = _rehearse(msgspec.json.decode(sys.stdin.buffer.read(), type=Asked))
    sys.stdout.buffer.write(msgspec.json.encode(answer))
