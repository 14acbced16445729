"""Faults over time: in order, overlapping, healed when due, and a value that TOML keeps."""

from __future__ import annotations

import contextlib
import threading
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from drill.unusable import UnusableInput
from infra_fixtures.faults.catalogue import catalogue
from infra_fixtures.faults.database_lost import DatabaseLost
from infra_fixtures.faults.fault import Fault, Injection
from infra_fixtures.faults.lambda_throttled import LambdaThrottled
from infra_fixtures.faults.link_degraded import LinkDegraded
from infra_fixtures.faults.nothing import Nothing
from infra_fixtures.faults.region_lost import RegionLost
from infra_fixtures.faults.replication_cut import ReplicationCut
from infra_fixtures.faults.schedule import Ended, Schedule, Scheduled, injected_in_turn
from infra_fixtures.link_rule import LinkRule
from infra_fixtures.powers import LinkName
from infra_fixtures.safety.journal import Journal
from infra_fixtures.safety.undo import Learn, RemoveLinkRule, RestoreRegion
from infra_fixtures.targets.world import World

REGIONS = st.sampled_from(["primary", "standby", "us-east-1"])
FIGURES = st.floats(1, 1e6, allow_nan=False)
RULES = st.builds(
    LinkRule,
    direction=st.sampled_from(["up", "down", "both"]),
    latency_ms=FIGURES,
    bandwidth=FIGURES,
    cut=st.booleans(),
)
FAULTS = st.one_of(
    st.builds(RegionLost, REGIONS),
    st.builds(DatabaseLost, REGIONS),
    st.builds(LambdaThrottled, REGIONS, st.text("abc-", max_size=5)),
    st.builds(LinkDegraded, RULES, REGIONS, st.sampled_from(["edge", "writer"])),
    st.builds(LinkDegraded, RULES),
    st.just(ReplicationCut()),
    st.just(Nothing()),
)
SCHEDULED = st.builds(
    Scheduled, FAULTS, st.floats(0, 1e3, allow_nan=False), st.none() | st.floats(0.001, 1e3, allow_nan=False)
)


@given(st.lists(SCHEDULED, min_size=1, max_size=5))
def test_a_schedule_is_the_same_after_toml(faults: list[Scheduled]) -> None:
    """Written as tables and read again it is equal, prints and hashes the same; or it was refused from the start."""
    try:
        schedule = Schedule(tuple(faults))
    except UnusableInput:
        return
    tables = msgspec.toml.decode(tomli_w.dumps({"faults": schedule.to_tables()}))["faults"]
    again = Schedule.from_tables(tables, source="test")
    assert again == schedule
    assert (hash(again), repr(again)) == (hash(schedule), repr(schedule))


def test_every_fault_is_found_by_its_name() -> None:
    """The catalogue names each fault's file, and none of the tests' own."""
    assert {"region_lost", "database_lost", "nothing", "link_degraded"} <= catalogue().keys()
    for name, kind in catalogue().items():
        assert kind.__module__ == f"infra_fixtures.faults.{name}"


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        ([{"fault": "region_list"}], "there is no fault region_list: did you mean region_lost?"),
        ([{"region": "primary"}], "there is no fault None"),
        ([{"fault": "region_lost", "regoin": "x"}], "unknown field `regoin`"),
        ([{"fault": "region_lost", "at_s": "soon"}], "the fault region_lost is not understood"),
        ([{"fault": "region_lost", "at_s": -1}], "at_s = -1"),
        ([{"fault": "region_lost", "for_s": 0}], "for_s = 0"),
        ([], "a schedule needs a fault"),
        ("region_lost", "are tables"),
        ([{"fault": "nothing", "main": True}, {"fault": "nothing", "main": True}], "only one fault"),
        (
            [{"fault": "region_lost", "for_s": 2}, {"fault": "region_lost", "at_s": 1}],
            "region_lost and region_lost both harm database",
        ),
    ],
)
def test_what_is_no_schedule_is_refused_in_a_sentence(tables: Any, sentence: str) -> None:
    """Each mistake is named with the source, and nothing is injected."""
    with pytest.raises(UnusableInput) as refused:
        Schedule.from_tables(tables, source="a.toml")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


@dataclass(frozen=True)
class Seen:
    """What happened, in order."""

    events: list[str]
    journal: Journal

    def tell(self, event: str, subject: str = "", detail: str = "", at_ns: int | None = None) -> None:
        """As a drill's marks."""
        self.events.append(f"{event} {detail}")


class Noted(Fault, frozen=True):
    """Notes that it was injected; healing is noted by the world's power."""

    label: str
    link: bool = False

    def prepare(self, world: World) -> Injection:
        """Nothing has to be known."""

        def act(_learn: Learn) -> None:
            if self.label == "fails":
                raise RuntimeError("cannot")
            cast(Any, world).events.append(f"+{self.label}")

        undo = RemoveLinkRule("scope", "link", self.label) if self.link else RestoreRegion(self.label)
        return Injection(self.label, [undo], act)


def _world(seen: Seen) -> World:
    """The least that a schedule needs of one: a journal, and the powers that undo."""
    note = seen.events.append

    class Least(SimpleNamespace):
        def healing(self) -> AbstractContextManager[None]:
            return contextlib.nullcontext()

        def lose_region(self, region: str) -> None:
            """For the power to be whole."""

        def restore_region(self, region: str) -> None:
            note(f"-{region}")

        def add_link_rule(self, link: LinkName, rule_id: str, rule: object) -> None:
            """For the power to be whole."""

        def remove_link_rule(self, link: LinkName, rule_id: str) -> None:
            note(f"-{rule_id}")

        def reset_link(self, link: LinkName) -> None:
            """For the power to be whole."""

    return cast(
        World,
        Least(
            journal=seen.journal,
            events=seen.events,
            primary="us-east-1",
            standby="us-west-2",
            part=lambda _kind: object(),
        ),
    )


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    """Nothing yet."""
    return Seen([], Journal(tmp_path))


def test_what_stands_at_the_end_is_healed_links_first_then_the_newest(seen: Seen) -> None:
    """The main fault is the last; those before it are its effect's earlier ones."""
    schedule = Schedule.of(Noted("a"), Noted("cut", link=True), Scheduled(Noted("b"), at_s=0.05))
    with injected_in_turn(_world(seen), schedule, seen.tell) as effect:
        assert seen.events == ["+a", "+cut", "+b"]
        assert (effect.subject, [e.subject for e in effect.earlier]) == ("b", ["a", "cut"])
        assert effect.began_ns - effect.earlier[0].effective_ns >= 0.05e9
        assert len(seen.journal.open_entries()) == 3
    assert seen.events[3:] == ["-cut", "-b", "-a"]
    assert seen.journal.open_entries() == []


def test_what_is_due_is_healed_while_the_others_stand(seen: Seen) -> None:
    """Before the main fault and after it; what begins later is told, and its end too."""
    schedule = Schedule.of(
        Scheduled(Noted("brief"), for_s=0.05),
        Scheduled(Noted("main"), at_s=0.1, main=True),
        Scheduled(Noted("late"), at_s=0.15, for_s=0.05),
    )
    with injected_in_turn(_world(seen), schedule, seen.tell):
        assert seen.events == ["+brief", "-brief", "degraded.healed noted", "+main"]
        limit = time.monotonic() + 10
        while "-late" not in seen.events and time.monotonic() < limit:
            time.sleep(0.01)
    late = ["+late", "degraded.begin noted", "degraded.effective noted", "-late", "degraded.healed noted"]
    assert seen.events[4:] == [*late, "-main"]


def test_a_main_fault_that_ends_by_itself_is_told(seen: Seen) -> None:
    """A blip is over before the drill is; nothing is left to be healed."""
    with injected_in_turn(_world(seen), Schedule.of(Scheduled(Noted("blip"), for_s=0.02)), seen.tell):
        limit = time.monotonic() + 10
        while "fault.over noted" not in seen.events and time.monotonic() < limit:
            time.sleep(0.01)
    assert seen.events == ["+blip", "fault.ending noted", "-blip", "fault.over noted"]


def test_the_end_does_not_wait_for_what_is_still_to_come(seen: Seen) -> None:
    """A drill that ends early injects nothing more."""
    schedule = Schedule.of(Scheduled(Noted("main"), main=True), Scheduled(Noted("never"), at_s=600))
    began_s = time.monotonic()
    with injected_in_turn(_world(seen), schedule, seen.tell):
        pass
    assert time.monotonic() - began_s < 60
    assert seen.events == ["+main", "fault.failed the observation ended before noted came", "-main"]


def test_a_drill_that_is_ended_injects_nothing_more_and_heals(seen: Seen) -> None:
    """A stop condition is met while the main fault is still to come: it never comes, and what stands is healed at once."""
    schedule, ended = Schedule.of(Noted("a"), Scheduled(Noted("main"), at_s=600)), threading.Event()
    threading.Timer(0.2, ended.set).start()
    began_s = time.monotonic()
    with (
        pytest.raises(Ended, match="ended before noted came"),
        injected_in_turn(_world(seen), schedule, seen.tell, ended),
    ):
        pytest.fail("the main fault was injected")
    assert time.monotonic() - began_s < 60
    assert seen.events == ["+a", "-a"]


def test_the_drill_is_told_when_nothing_more_is_to_come(seen: Seen) -> None:
    """While a later fault is to begin or to end it is not quiet; from then on it is, since a moment ago."""
    schedule = Schedule.of(Scheduled(Noted("main"), main=True), Scheduled(Noted("late"), at_s=0.1, for_s=0.1))
    with injected_in_turn(_world(seen), schedule, seen.tell) as effect:
        assert effect.quiet_since() is None
        limit = time.monotonic() + 10
        while effect.quiet_since() is None and time.monotonic() < limit:
            time.sleep(0.01)
        quiet_ns = effect.quiet_since()
        assert quiet_ns is not None
        assert "-late" in seen.events
        assert effect.effective_ns < quiet_ns <= time.monotonic_ns()


@pytest.mark.parametrize(
    ("faults", "together"),
    [
        ((RegionLost(), Scheduled(DatabaseLost(), at_s=1)), True),
        ((Scheduled(RegionLost(), for_s=5), Scheduled(DatabaseLost(), at_s=2)), False),
        ((RegionLost(), Scheduled(DatabaseLost(), at_s=2, for_s=1)), False),
        ((Scheduled(RegionLost(), for_s=5), Scheduled(DatabaseLost(), at_s=6)), True),
        ((Scheduled(RegionLost("primary"), for_s=5), Scheduled(DatabaseLost("standby"), at_s=2)), True),
        ((Scheduled(ReplicationCut(), for_s=20), Scheduled(ReplicationCut(), at_s=5, for_s=5)), True),
        (
            (
                Scheduled(LinkDegraded(LinkRule(latency_ms=1)), for_s=20),
                Scheduled(LinkDegraded(LinkRule(cut=True)), at_s=5, for_s=5),
            ),
            True,
        ),
        ((Scheduled(LambdaThrottled(), for_s=5), Scheduled(LambdaThrottled(), at_s=1, for_s=2)), False),
        ((Scheduled(LambdaThrottled(function="a"), for_s=5), Scheduled(LambdaThrottled(function="b"), at_s=1)), True),
    ],
)
def test_faults_that_one_healing_would_heal_together_are_refused(
    faults: tuple[Fault | Scheduled, ...], together: bool
) -> None:
    """Whatever the same undo gives back cannot stand on; rules on a link each have an identity of their own."""
    if together:
        Schedule.of(*faults)
    else:
        with pytest.raises(UnusableInput, match="both harm"):
            Schedule.of(*faults)


def test_a_region_by_its_role_and_by_its_name_is_the_same(seen: Seen) -> None:
    """Only a world knows that, so that it is refused there, before anything is done."""
    schedule = Schedule.of(
        Scheduled(LambdaThrottled("primary"), for_s=5), Scheduled(LambdaThrottled("us-east-1"), at_s=1)
    )
    with pytest.raises(UnusableInput, match="both harm"), injected_in_turn(_world(seen), schedule, seen.tell):
        pytest.fail("it was injected")
    assert seen.events == []


@pytest.mark.parametrize(("region", "link"), [("replication", "edge"), ("primary", "both"), ("primary", "nolink")])
def test_a_link_that_is_not_there_is_refused_when_it_is_read(region: str, link: str) -> None:
    """Not in the middle of a drill."""
    table = {"fault": "link_degraded", "region": region, "link": link, "rule": {"cut": True}}
    with pytest.raises(UnusableInput, match="link_degraded is not understood"):
        Schedule.from_tables([table], source="a.toml")


def test_a_fault_that_cannot_be_injected_heals_those_before_it(seen: Seen) -> None:
    """The error goes on, with nothing left standing, half of itself included."""
    with (
        pytest.raises(RuntimeError, match="cannot"),
        injected_in_turn(_world(seen), Schedule.of(Noted("a"), Noted("fails")), seen.tell),
    ):
        pytest.fail("it was injected")
    assert seen.events == ["+a", "-fails", "-a"]
    assert seen.journal.open_entries() == []


def test_a_later_fault_that_fails_is_told(seen: Seen) -> None:
    """The drill goes on, and cannot prove what it was to prove; everything is healed."""
    schedule = Schedule.of(Scheduled(Noted("main"), main=True), Scheduled(Noted("fails"), at_s=0.01))
    with injected_in_turn(_world(seen), schedule, seen.tell):
        limit = time.monotonic() + 10
        while len(seen.events) < 2 and time.monotonic() < limit:
            time.sleep(0.01)
    assert seen.events == ["+main", "fault.failed RuntimeError: cannot", "-fails", "-main"]
    assert seen.journal.open_entries() == []
