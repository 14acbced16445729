"""`python -m drill import FILE... -o DIR`: the results of another load tool as records that `python -m drill judge` judges."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path

from drill.imports import aws_log, formats, table
from drill.imports.bundle import Bundle, Said, bundled
from drill.imports.imported import Options
from drill.imports.instant import Instant
from drill.imports.marks import BEGIN, EFFECTIVE, given
from drill.imports.signable import write_run
from drill.records import NS
from drill.unusable import UnusableInput


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is said of a tool's files and of the fault."""
    parser.add_argument("--format", choices=formats.TOOLS, default="auto", help="default: told by the file")
    parser.add_argument("--loop", choices=("open", "closed"), default="", help="default: closed, of vegeta open")
    parser.add_argument("--only-rto", action="store_true", help="judge the recovery time alone, not data loss and lag")
    parser.add_argument(
        "--objectives", type=Path, metavar="FILE", help="write DIR as a run, judged by it, that can be signed"
    )
    parser.add_argument(
        "--scenario", default="imported", metavar="NAME", help="the run's only scenario (default: imported)"
    )
    fault = parser.add_argument_group("the fault")
    fault.add_argument(
        "--fault-at", metavar="TIME", help="when it struck, UTC or since 1970, as exact as its last digit"
    )
    fault.add_argument("--fault-by", metavar="TIME", help="by when it had surely taken effect (default: --fault-at)")
    fault.add_argument("--mark", action="append", default=[], metavar="EVENT=TIME", help="any other mark; repeatable")
    fault.add_argument("--cloudtrail", type=Path, metavar="FILE", help="log file, or output of lookup-events")
    fault.add_argument("--fault-event", metavar="NAME", help="which call of --cloudtrail was the fault")
    fault.add_argument("--healed-event", metavar="NAME", help="which call of --cloudtrail took it back")
    fault.add_argument("--fis", type=Path, metavar="FILE", help="output of get-experiment, or the experiment's log")
    fault.add_argument(
        "--clock-error",
        type=float,
        default=0.1,
        metavar="S",
        help="how far the clocks of the load tool and of the fault may differ (default: 0.1, of hosts that use NTP)",
    )
    load = parser.add_argument_group("the load")
    load.add_argument("--timeout", type=float, metavar="S", help="k6: the time-out of the script's requests")
    load.add_argument("--only", metavar="REGEX", help="only requests whose name or URL matches")
    load.add_argument("--writes", metavar="REGEX", help="where no method is recorded: requests of such a name write")
    load.add_argument("--column", action="append", default=[], metavar="ROLE=NAME", help="a column of a table")
    load.add_argument("--unit", choices=sorted(table.UNITS), default="ns", help="of a table's times (default: ns)")
    load.add_argument("--t0", metavar="TIME", help="from when the times of an ops.parquet count")


def run(said: argparse.Namespace) -> list[str]:
    """Import, and what there is to say of it; raises UnusableInput."""
    bundle = bundle_of(said.files, said)
    if said.objectives is not None:
        write_run(said.output, bundle, said.objectives, said.scenario)
        then = f"judged; sign it and make its reports with: python -m reports build {said.output}"
    else:
        bundle.save(said.output)
        then = f"judge it with: python -m drill judge {said.output} --objectives FILE"
    record = bundle.record
    told = [
        f"{record['requests']:,} requests of {record['tool']} from {record['from']} to {record['to']} in {said.output}",
        f"{record['load'].basis}; their times are good to {record['resolution_s']:g} s",
        *(f"missing: {sentence}" for sentence in record["load"].missing),
    ]
    bracket = [bundle.history.first_mark(event) for event in (BEGIN, EFFECTIVE)]
    if bracket[0] is None or bracket[1] is None:
        told.append("no fault is told, so nothing can be proved: give --fault-at, --cloudtrail or --fis")
    else:
        begin, effective = (m.at_ns / NS for m in bracket if m is not None)
        told.append(
            f"the fault struck from {begin:+.3f} to {effective:+.3f} s of {record['t0']} by the load's clock "
            f"({bracket[0].subject})"
        )
    return [*told, then]


def bundle_of(paths: list[Path], said: argparse.Namespace) -> Bundle:
    """The files with all that was said of them; raises UnusableInput."""
    for name in ("clock_error", "timeout"):
        value = getattr(said, name)
        if value is not None and not (math.isfinite(value) and 0 <= value <= 86400):
            raise UnusableInput(f"--{name.replace('_', '-')} is {value}: give seconds from 0 to 86400")
    named = {}
    for text in said.column:
        role, equals, name = text.partition("=")
        if not equals or role not in table.ROLES:
            raise UnusableInput(f"--column {text}: give ROLE=NAME with a role of {', '.join(table.ROLES)}")
        named[role] = name
    options = Options(said.timeout, _pattern(said.only, "--only"), _pattern(said.writes, "--writes"), named, said.unit)
    times = [f"{BEGIN}={said.fault_at}"] if said.fault_at else []
    times += [f"{EFFECTIVE}={said.fault_by}"] if said.fault_by else []
    if said.cloudtrail and said.fis:
        raise UnusableInput("the fault is told by CloudTrail and by FIS: give one of them")
    if (said.fault_event or said.healed_event) and not said.cloudtrail:
        raise UnusableInput(
            "--fault-event and --healed-event name calls of a CloudTrail log: give it with --cloudtrail"
        )
    log = aws_log.cloudtrail(said.cloudtrail, said.fault_event, said.healed_event) if said.cloudtrail else None
    log = aws_log.fis(said.fis) if said.fis else log
    t0 = Instant.of(said.t0, "--t0") if said.t0 else None
    marks = given([*times, *said.mark])
    return bundled(paths, Said(said.format, said.loop, said.only_rto, said.clock_error, options, marks, log, t0))


def _pattern(text: str | None, option: str) -> re.Pattern[str] | None:
    if text is None:
        return None
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as e:
        raise UnusableInput(f"{option} {text} is no regular expression ({e}): mend it") from e
