"""When each stop condition is met, how it is written down, and that it ends a real drill."""

from __future__ import annotations

import datetime as dt
import os
import signal
import threading
import time
import tomllib
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
import tomli_w

from drill.history import NS, History, Op, Outcome, Sample
from drill.run import Unproven
from drill.unusable import UnusableInput
from drill.wait import wait_until
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.safety.stop_conditions import (
    KINDS,
    Alarm,
    Beyond,
    Condition,
    FailedShare,
    FileAppears,
    Sight,
    SignalCame,
    Until,
    from_tables,
)
from infra_fixtures.safety.stop_watch import StopWatch, stop_watches
from tests.drill.scripted_drill import QUICK, Heartbeats, World

NEVER = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


def no_client(service: str, region: str) -> Any:
    """No AWS API is there."""
    raise ConnectionError(f"{service} in {region} does not answer")


def ops(*ended: tuple[float, bool]) -> pl.DataFrame:
    """A request for each: when it ended, in seconds since t0, and whether it was OK."""
    made = [
        Op(
            "read",
            k,
            "follower",
            int(at * NS),
            int(at * NS),
            int(at * NS),
            Outcome.OK if ok else Outcome.FAIL,
            None,
            200,
            None,
        )
        for k, (at, ok) in enumerate(ended)
    ]
    found = History.of(ops=made).ops
    assert found is not None
    return found


def sight(
    *,
    client: Callable[[str, str], Any] = no_client,
    requests: pl.DataFrame | None = None,
    samples: Sequence[Sample] = (),
    now_s: float = 100.0,
) -> Sight:
    """What is to be seen, `now_s` seconds after the beginning."""
    t0_ns = time.monotonic_ns() - int(now_s * NS)
    return Sight(client, lambda: ops() if requests is None else requests, lambda: samples, t0_ns)


def lag(*values: float) -> list[Sample]:
    """A sample of Aurora's lag every second, and ones of S3's that have nothing to do with it."""
    return [
        sample
        for k, value in enumerate(values)
        for sample in (Sample(k * NS, "lag", "aurora", value), Sample(k * NS, "lag", "s3", 0.0))
    ]


@pytest.mark.parametrize(
    ("condition", "values", "met"),
    [
        (Beyond("lag", "aurora", above=5, for_s=2), (9, 9, 9), True),
        (Beyond("lag", "aurora", above=5, for_s=2), (0, 9, 9), False),
        (Beyond("lag", "aurora", above=5, for_s=2), (9, 9, 9, 0), False),
        (Beyond("lag", "aurora", above=5, for_s=2), (9, 0, 9, 9, 9), True),
        (Beyond("lag", "aurora", above=5), (0, 9), True),
        (Beyond("lag", "aurora", above=5), (9, 5), False),
        (Beyond("lag", "aurora", below=0.5), (1, 0), True),
        (Beyond("lag", "aurora", above=5), (), False),
        (Beyond("lag", "nobody", above=5), (9,), False),
    ],
)
def test_samples_must_be_beyond_for_as_long_as_is_said(condition: Beyond, values: tuple[float, ...], met: bool) -> None:
    """One sample within the limit starts the time anew; other subjects are not looked at."""
    assert bool(condition.met(sight(samples=lag(*values)))) is met


@pytest.mark.parametrize(
    ("ended", "met"),
    [
        ([(10.0, True), (95.0, False), (96.0, False), (97.0, True)], True),
        ([(10.0, True), (95.0, False), (96.0, True)], False),
        ([(10.0, False), (11.0, False)], False),
        ([(95.0, False), (96.0, False)], False),
        ([], False),
    ],
    ids=["most fail", "half fail", "long ago", "not long enough", "nothing yet"],
)
def test_the_share_of_failed_requests_is_of_the_last_seconds(ended: list[tuple[float, bool]], met: bool) -> None:
    """Above half of what ended in the last 10 s, where the load has run for as long."""
    assert bool(FailedShare(0.5, 10).met(sight(requests=ops(*ended)))) is met


def test_a_file_stops_when_it_is_there(tmp_path: Path) -> None:
    """It is named, and so is what to do with it."""
    condition = FileAppears(str(tmp_path / "STOP"))
    assert condition.met(sight()) == ""
    (tmp_path / "STOP").touch()
    assert "STOP is there: remove it" in condition.met(sight())


def test_a_window_ends() -> None:
    """Before that moment it is not met, after it it is."""
    assert Until(NEVER).met(sight()) == ""
    assert Until(dt.datetime(2020, 1, 1, tzinfo=dt.UTC)).met(sight()) == "the window ended at 2020-01-01 00:00:00 UTC"


def test_an_alarm_stops_in_its_state(aws_client: Callable[..., Any]) -> None:
    """OK: not met; ALARM: met, with CloudWatch's reason; an alarm that is not there is met as well."""
    cloudwatch, name = aws_client("cloudwatch", "us-west-2"), f"a-{uuid.uuid4().hex}"
    where = sight(client=aws_client)
    assert Alarm(name, "us-west-2").met(where) == f"there is no alarm {name} in us-west-2"
    cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="drill",
        MetricName="m",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    assert Alarm(name, "us-west-2").met(where) == ""
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="customers complain")
    assert Alarm(name, "us-west-2").met(where).endswith("is in ALARM: customers complain")


ALL = (
    Alarm("5xx", "us-west-2"),
    Beyond("replication_lag_s", 'the "aurora"', above=30.0, for_s=10.0),
    Beyond("free_mb", "disk", below=100.0),
    FailedShare(0.5, 120.0),
    FileAppears("/tmp/STOP"),
    SignalCame("SIGUSR2"),
    Until(NEVER),
)


def test_conditions_go_to_toml_and_back() -> None:
    """All kinds, with quotes in their words; they are values, so the same again is equal."""
    written = tomli_w.dumps({"stop": msgspec.to_builtins(ALL, builtin_types=(dt.datetime,))})
    assert from_tables(tomllib.loads(written)["stop"]) == ALL
    assert len(set(ALL)) == len(ALL)


def test_the_documentation_shows_every_kind() -> None:
    """The example in docs/safety.md is read as it stands, and leaves no kind out."""
    text = (REPOSITORY / "docs" / "safety.md").read_text()
    example = text.partition("```toml\n")[2].partition("```")[0]
    assert {c.kind for c in from_tables(tomllib.loads(example)["stop"])} == set(KINDS)


def test_conditions_print_as_sentences() -> None:
    """What a plan shows of them."""
    assert [str(c) for c in ALL] == [
        "the alarm 5xx in us-west-2 is in ALARM",
        'replication_lag_s of the "aurora" is above 30 for 10 s',
        "free_mb of disk is below 100",
        "more than 50% of requests fail for 120 s",
        "the file /tmp/STOP is there",
        "SIGUSR2 came",
        "the window ended at 2100-01-01 00:00:00 UTC",
    ]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"kind": "alram"}, "of kind 'alram' is unknown: write one of alarm, sample,"),
        ({}, "of kind '' is unknown"),
        ({"kind": "alarm", "name": "a"}, "of kind alarm is not understood: Object missing required field `region`"),
        (
            {"kind": "file", "path": "p", "paht": "p"},
            "of kind file is not understood: Object contains unknown field `paht`",
        ),
        ({"kind": "sample", "metric": "m", "subject": "s"}, "needs either above or below"),
        (
            {"kind": "failed", "above": "half", "for_s": 3},
            r"of kind failed is not understood: Expected `float`, got `str` - at `\$.above`",
        ),
        ({"kind": "file", "path": 3}, r"of kind file is not understood: Expected `str`, got `int` - at `\$.path`"),
        ({"kind": "failed", "above": True, "for_s": 3}, r"Expected `float`, got `bool` - at `\$.above`"),
        ({"kind": "signal", "name": "SIGFOO"}, "SIGFOO is no signal"),
        (
            {"kind": "signal", "name": "SIGKILL"},
            "SIGKILL can be caught by nobody, and so stops no drill: write SIGUSR1",
        ),
        ({"kind": "signal", "name": "SIGSTOP"}, "SIGSTOP can be caught by nobody"),
        ({"kind": "until", "at": dt.date(2026, 1, 1)}, "Expected `datetime`, got `date`"),
        ({"kind": "until", "at": dt.datetime(2026, 1, 1)}, "no moment with a time zone"),
    ],
)
def test_a_table_that_is_no_condition_is_refused(table: dict[str, Any], sentence: str) -> None:
    """One line that says what is wrong and what is known."""
    with pytest.raises(UnusableInput, match=sentence):
        from_tables([table])


class Notes:
    """A recorder that keeps marks."""

    def __init__(self) -> None:
        self.marks: list[tuple[str, str, str]] = []

    def mark(self, event: str, subject: str = "", detail: str = "", at_ns: int | None = None) -> None:
        """Keep it."""
        self.marks.append((event, subject, detail))

    def sample(self, metric: str, subject: str, value: float, at_ns: int | None = None) -> None:
        """Not looked at."""


def test_a_condition_that_cannot_be_told_is_met_after_a_while() -> None:
    """CloudWatch does not answer: nothing would warn any more, so the drill must not go on."""
    notes = Notes()
    StopWatch(Alarm("5xx", "us-west-2"), sight(), blind_s=0.0).watch(notes, threading.Event())
    assert len(notes.marks) == 1
    event, kind, detail = notes.marks[0]
    assert (event, kind) == ("stop.condition", "alarm")
    assert detail.startswith(
        "whether the alarm 5xx in us-west-2 is in ALARM could not be told for 0 s: ConnectionError"
    )


def test_a_watch_ends_with_the_drill() -> None:
    """Nothing is met: it marks nothing and returns when told to stop."""
    notes, stop = Notes(), threading.Event()
    thread = threading.Thread(target=StopWatch(Until(NEVER), sight()).watch, args=(notes, stop))
    thread.start()
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    assert notes.marks == []


def test_a_signal_is_caught_only_while_it_is_waited_for() -> None:
    """SIGUSR1 would end the process otherwise; afterwards its handler is what it was."""
    before = signal.getsignal(signal.SIGUSR1)
    notes = Notes()
    with stop_watches([SignalCame()], sight()) as watches:
        os.kill(os.getpid(), signal.SIGUSR1)
        watches[0].watch(notes, threading.Event())
    assert notes.marks == [("stop.condition", "signal", "SIGUSR1 came")]
    assert signal.getsignal(signal.SIGUSR1) == before


def drilled(tmp_path: Path, condition: Condition, when_broken: Callable[[], None]) -> World:
    """A drill of a system that stays down, with a condition beside it; `when_broken` is done once the fault stands."""
    world = World(tmp_path / "drill", outages=[], down_s=60.0)
    looks = Sight(no_client, world.traffic.ops, world.drill.samples, world.t0_ns)

    def act() -> None:
        wait_until(lambda: "injected" in world.events, what="the fault", timeout_s=30)
        when_broken()

    acting = threading.Thread(target=act)
    with stop_watches([condition], looks) as watches:
        world.drill.probes = [Heartbeats(), *watches]
        acting.start()
        with pytest.raises(Unproven, match="a stop condition ended the drill"):
            world.drill.run(world.fault(), QUICK)
    acting.join(5)
    return world


def test_a_person_ends_a_drill_by_a_file(tmp_path: Path) -> None:
    """The file appears while the fault stands: healed before survivors are read, records and verdict are there."""
    world = drilled(tmp_path, FileAppears(str(tmp_path / "STOP")), (tmp_path / "STOP").touch)
    assert world.events == ["injected", "healed", "checked", "published UNPROVEN"]
    assert [kind for kind, _ in world.marked("stop.condition")] == ["file"]
    assert world.at_ns("stop.condition") <= world.at_ns("fault.healed") <= world.at_ns("survivors.read")
    assert world.written == "UNPROVEN"


def test_a_person_ends_a_drill_by_a_signal(tmp_path: Path) -> None:
    """SIGUSR1 to the harness does the same."""
    world = drilled(tmp_path, SignalCame(), lambda: os.kill(os.getpid(), signal.SIGUSR1))
    assert world.marked("stop.condition") == [("signal", "SIGUSR1 came")]
    assert world.events[:2] == ["injected", "healed"]


def test_failed_requests_end_a_drill(tmp_path: Path) -> None:
    """The outage of the fault itself lasts longer than it may: the drill does not wait for its own limit."""
    world = drilled(tmp_path, FailedShare(0.9, 0.5), lambda: None)
    assert [kind for kind, _ in world.marked("stop.condition")] == ["failed"]
    assert world.events[:2] == ["injected", "healed"]


def test_a_condition_that_is_met_before_the_fault_prevents_it(tmp_path: Path) -> None:
    """The window is over already: nothing is broken."""
    world = World(tmp_path, outages=[])
    looks = Sight(no_client, world.traffic.ops, world.drill.samples, world.t0_ns)
    with stop_watches([Until(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))], looks) as watches:
        world.drill.probes = watches
        with pytest.raises(Unproven, match="the window ended at 2020-01-01"):
            world.drill.run(world.fault(), QUICK)
    assert world.events == ["published UNPROVEN"]
