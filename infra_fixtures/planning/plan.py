"""The plan of a game day on a real account, as a value: printed before anything is changed, and kept with the run."""

from __future__ import annotations

import datetime as dt
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from drill.objective import nearest
from drill.unusable import UnusableInput
from infra_fixtures.faults.catalogue import catalogue
from infra_fixtures.planning.walk import PlannedFault
from infra_fixtures.safety.rehearsal import Planned
from infra_fixtures.safety.scope import listed
from infra_fixtures.targets.permission import Outline, Permission

COLUMNS = 80
MARGIN = 18
FILE, TEXT = "plan.json", "plan.txt"


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be drilled. title: the scenario's name. load: requests a second at most; None where there is none.

    objectives: limits by name. lasts_s: how long the drill may take once the system stands, with healing.
    """

    title: str
    objectives: Mapping[str, float] = {}
    load: float | None = None
    lasts_s: float = 0.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. Times are UTC; `objections` forbid it now, `unknown` could not be looked at."""

    run_id: str
    made: str
    target: str
    title: str
    account: str
    alias: str
    caller: str
    credentials: str
    regions: tuple[str, ...]
    tag: str
    windows: tuple[str, ...]
    closes: str
    approvers: tuple[str, ...]
    ticket: str
    read_only: bool
    faults: tuple[PlannedFault, ...]
    may_touch: str
    objectives: Mapping[str, float]
    load: float | None
    most_load: float
    lasts_s: float
    makes: tuple[str, ...]
    made_by: tuple[Planned, ...]
    price: str
    stops: tuple[str, ...]
    objections: tuple[str, ...]
    unknown: tuple[str, ...]

    @classmethod
    def of(
        cls,
        allowed: Permission,
        intent: Intent,
        outline: Outline,
        faults: tuple[PlannedFault, ...],
        made_by: tuple[Planned, ...] = (),
    ) -> Plan:
        """Put it together, with what the blast radius says against it; raises UnusableInput where that names no fault."""
        file, caller, limits = allowed.file, allowed.caller, allowed.file.blast_radius
        for name in limits.faults:
            if name not in catalogue():
                raise UnusableInput(f"{file.source}: there is no fault {name}; {nearest(name, catalogue())}")
        closes = allowed.guard.scope.closes(allowed.now)
        return cls(
            run_id=allowed.run.run_id,
            made=_utc(allowed.now),
            target=allowed.run.target,
            title=intent.title,
            account=caller.account,
            alias=caller.alias,
            caller=caller.arn,
            credentials=f"{caller.found_by}, {caller.lasts}",
            regions=file.regions,
            tag=str(allowed.guard.scope.tag),
            windows=tuple(map(str, file.windows)),
            closes=_utc(closes) if closes is not None else "",
            approvers=file.approvers,
            ticket=file.ticket,
            read_only=file.read_only,
            faults=faults,
            may_touch=f"at most {limits.resources} resources, of {listed(limits.services)}",
            objectives=intent.objectives,
            load=intent.load,
            most_load=file.requests_per_second,
            lasts_s=intent.lasts_s + outline.stand_up_s,
            makes=outline.makes,
            made_by=made_by,
            price=outline.price,
            stops=tuple(map(str, allowed.stop_conditions)) or (f"no alarm: {file.no_alarm_because}",),
            objections=(*allowed.objections, *_too_much(allowed, intent, outline, faults)),
            unknown=allowed.unknown,
        )

    @property
    def touched(self) -> tuple[str, ...]:
        """The resources that its faults would touch, each once."""
        return tuple(dict.fromkeys(f"{s} {name} in {r}" for s, r, name in _touched(self.faults)))

    def text(self) -> str:
        """For people, in lines of at most 80 columns."""
        return "\n".join(_wrapped(self._lines()))

    def write(self, directory: Path) -> None:
        """Keep it there, for programs and for people."""
        directory.mkdir(parents=True, exist_ok=True)
        Path(directory, FILE).write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")
        Path(directory, TEXT).write_text(self.text() + "\n")

    def _lines(self) -> Iterator[tuple[str, str]]:
        yield "PLAN", f"{self.title} on {self.target}, run {self.run_id}"
        yield "account", f"{self.account} ({self.alias or 'without an alias'})"
        yield "caller", f"{self.caller}"
        yield "credentials", self.credentials
        yield "regions", ", ".join(self.regions)
        yield "tag", f"{self.tag} on whatever is touched and not made by the run"
        yield "ticket", self.ticket
        yield "approved by", ", ".join(self.approvers)
        for window in self.windows:
            yield "window", window
        yield "closes", self.closes or "no window is open"
        if self.read_only:
            yield "read only", "nothing is changed"
        for sentence in self.makes:
            yield "makes", sentence
        if self.made_by:
            counted = Counter(call.service for call in self.made_by)
            each = ", ".join(f"{service} {number}" for service, number in sorted(counted.items()))
            yield "by", f"{len(self.made_by)} calls, each in {FILE}: {each}"
        for fault in self.faults:
            yield from _fault_lines(fault)
        yield "blast radius", self.may_touch
        number = len(self.touched)
        yield "touches", f"{number} resource{'' if number == 1 else 's'}" if self.faults else "nothing is broken"
        for name in self.touched:
            yield "", name
        if self.objectives:
            yield "objectives", ", ".join(f"{name} {limit:g}" for name, limit in self.objectives.items())
        if self.load is not None:
            yield "load", f"up to {self.load:g} requests a second (at most {self.most_load:g} allowed)"
        if self.lasts_s:
            yield "lasts", f"up to {self.lasts_s:.0f} s, with healing"
        if self.price:
            yield "costs", self.price
        for stop in self.stops:
            yield "ends at once if", stop
        for thing in self.unknown:
            yield "not known", thing
        for sentence in self.objections:
            yield "REFUSED NOW", sentence


def _fault_lines(fault: PlannedFault) -> Iterator[tuple[str, str]]:
    when = f"at {fault.at_s:g} s" + (f" for {fault.for_s:g} s" if fault.for_s is not None else "")
    yield "fault", f"{fault.fault} {when}" + (f" ({fault.parameters})" if fault.parameters else "")
    for call in fault.calls:
        yield "  calls", str(call)
    if not fault.calls and not fault.note:
        yield "  calls", "none"
    if fault.note:
        yield "  note", fault.note
    for step in fault.heals:
        yield "  heals", step


def _too_much(allowed: Permission, intent: Intent, outline: Outline, faults: tuple[PlannedFault, ...]) -> Iterator[str]:
    """What is more than the file allows."""
    file, limits = allowed.file, allowed.file.blast_radius
    if file.read_only and (outline.makes or any(fault.calls or fault.note for fault in faults)):
        yield f"{file.source} says read_only, and this changes something: ask for the plan alone (--dry-run)"
    for name in dict.fromkeys(fault.fault for fault in faults):
        if name not in limits.faults:
            yield f"{name} is none of the faults that {file.source} allows ({listed(limits.faults)}): leave it out, or add it"
    services = {call.service for fault in faults for call in fault.calls if call.service}
    for service in sorted(services - set(limits.services)):
        yield (
            f"{service} is none of the services that faults may change by {file.source} ({listed(limits.services)}): leave "
            "the fault out, or add it to blast_radius.services"
        )
    touched = set(_touched(faults))
    if len(touched) > limits.resources:
        yield (
            f"the faults would touch {len(touched)} resources, and {file.source} allows {limits.resources}: leave one out, or "
            "raise blast_radius.resources"
        )
    if intent.load is not None and intent.load > file.requests_per_second:
        yield (
            f"the load is up to {intent.load:g} requests a second, and {file.source} allows {file.requests_per_second:g}: "
            "give a lower --max-rate"
        )


def _touched(faults: tuple[PlannedFault, ...]) -> Iterator[tuple[str, str, str]]:
    """By service, region and name, as the guard counts them."""
    for fault in faults:
        for call in fault.calls:
            if call.service:
                for name in call.resources or (call.operation,):
                    yield call.service, call.region, name


def _wrapped(lines: Iterator[tuple[str, str]]) -> Iterator[str]:
    last = ""
    for head, said in lines:
        shown, last = ("" if head == last else head), head
        yield from textwrap.wrap(
            said,
            COLUMNS,
            initial_indent=f"{shown:<{MARGIN}}",
            subsequent_indent=" " * (MARGIN + 2),
            break_on_hyphens=False,
        ) or [shown]


def _utc(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
