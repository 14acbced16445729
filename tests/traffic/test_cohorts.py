"""What follower, sticky and fresh clients do when DNS moves, and what each failure of a connection is called."""

from __future__ import annotations

import itertools
import socket
from collections import Counter

import dns.rcode
import polars as pl

from drill.history import NS
from drill.wait import wait_until
from tests.traffic.conftest import Stage, await_ops
from traffic.load import Load

WRITE = pl.col("op") == "write"
EVEN = {"follower": 0.4, "sticky": 0.3, "fresh": 0.3}


def test_followers_move_within_the_ttl_and_sticky_clients_stay(stage: Stage) -> None:
    """DNS moves while the old endpoint lives: follower and fresh are there one TTL later, sticky only once it dies."""
    with stage.generator(Load(reads_per_s=0, cohorts=EVEN)) as generator:
        await_ops(generator, 60)
        stage.names.addresses = (stage.west.host,)
        moved = stage.now_ns()
        ops = await_ops(generator, 60, pl.col("began_ns") > moved + 1.2 * NS)
        after = ops.filter(WRITE, pl.col("began_ns") > moved + 1.1 * NS)
        regions = {c: set(after.filter(cohort=c)["region"]) for c in EVEN}
        assert regions == {"follower": {"us-west-2"}, "fresh": {"us-west-2"}, "sticky": {"us-east-1"}}

        stage.east.end()
        died = stage.now_ns()
        await_ops(generator, 20, pl.col("cohort") == "sticky", pl.col("region") == "us-west-2")
    ops = generator.ops()
    assert set(ops.filter(pl.col("began_ns") > died, pl.col("cohort") != "sticky")["outcome"]) == {"ok"}
    answers = [m for m in generator.marks() if m.event == "client.dns_answer"]
    assert [(m.subject, m.detail) for m in answers] == [
        ("api.dr-drill.example", stage.east.host),
        ("api.dr-drill.example", stage.west.host),
    ]
    assert moved <= answers[1].at_ns <= moved + 1.1 * NS


def test_connections_are_kept_except_by_fresh_clients(stage: Stage) -> None:
    """Fresh clients open a connection a request; the others one only while all they have are in use. DNS: once a TTL."""
    with stage.generator(Load(reads_per_s=0, cohorts=EVEN)) as generator:
        await_ops(generator, 200)
        wait_until(lambda: _most_used(stage) > 30, what="a connection to be used again and again", timeout_s=10)
    ops = generator.ops().filter(WRITE)
    cohort_of = dict(ops.select("key", "cohort").iter_rows())
    users: dict[int, list[str]] = {}
    for seen in stage.east.seen:
        users.setdefault(seen.connection, []).append(cohort_of[seen.key])
    assert all(len(set(cohorts)) == 1 for cohorts in users.values()), "cohorts share no connection"
    opened = Counter(cohorts[0] for cohorts in users.values())
    assert opened["fresh"] == ops.filter(cohort="fresh").height
    for kept in ("follower", "sticky"):
        assert opened[kept] <= _most_in_flight(ops.filter(cohort=kept)), kept
    # a query that the name server was late to answer is sent again, under its number
    asked = dict(reversed(stage.names.queries))
    assert all(b - a >= 0.99 for a, b in itertools.pairwise(sorted(asked.values())))


def _most_used(stage: Stage) -> int:
    return max(Counter(seen.connection for seen in list(stage.east.seen)).values())


def _most_in_flight(ops: pl.DataFrame) -> int:
    """How many of them were under way at once, at most."""
    edges = sorted([(at, 1) for at in ops["began_ns"]] + [(at, -1) for at in ops["ended_ns"]])
    return max(itertools.accumulate(step for _, step in edges))


FAILURES = {
    # what the service does: outcome and error of a write, error of a read
    "reset": ("unknown", "reset", "reset"),
    "close": ("unknown", "closed", "closed"),
    "truncated": ("unknown", "closed", "closed"),
    "silent_500": ("unknown", "http_500", "http_500"),
    "not_stored": ("unknown", "unconfirmed", "http_201"),
    "turned_away": ("fail", "ReadOnlySqlTransaction", "ReadOnlySqlTransaction"),
    "forbidden": ("fail", "forbidden", "forbidden"),
}


def test_no_request_is_retried_and_each_failure_has_its_name(stage: Stage) -> None:
    """The service sees every order and read once; a write that may have been done is unknown, a read never is."""
    periods: dict[str, tuple[int, int]] = {}
    with stage.generator(Load(reads_per_s=100, receipt_every=3)) as generator:
        await_ops(generator, 3, pl.col("op") == "read")
        for mode in FAILURES:
            stage.east.mode = mode
            changed = stage.now_ns() + NS // 20
            await_ops(generator, 8, pl.col("op") == "read", pl.col("began_ns") > changed)
            await_ops(generator, 8, pl.col("op") == "put_object", pl.col("began_ns") > changed)
            periods[mode] = (changed, stage.now_ns() - NS // 20)
    ops = generator.ops()
    seen = stage.east.seen
    assert sorted(ops.filter(WRITE)["key"]) == sorted(s.key for s in seen if s.method == "POST")
    assert sorted(ops.filter(op="read")["key"]) == sorted(s.key for s in seen if s.method == "GET")
    for mode, (outcome, error, read_error) in FAILURES.items():
        then = ops.filter(pl.col("began_ns").is_between(*periods[mode]), pl.col("ended_ns") < periods[mode][1])
        said = set(then.select("op", "outcome", "error").iter_rows())
        expected = {("write", outcome, error), ("put_object", outcome, error), ("read", "fail", read_error)}
        assert said == expected, mode


def test_refused_is_surely_not_done_and_the_load_goes_on(stage: Stage) -> None:
    """Nobody listens: every op is a failure, at once, and none was ever seen."""
    stage.names.addresses = (stage.layout.primary.gateway.host,)
    with stage.generator(Load(reads_per_s=0)) as generator:
        await_ops(generator, 100)
    ops = generator.ops()
    assert set(ops.select("outcome", "error").iter_rows()) == {("fail", "refused")}
    assert ops["status"].null_count() == ops.height
    assert stage.east.seen == []


def test_without_dns_new_connections_fail_and_kept_ones_serve(stage: Stage) -> None:
    """SERVFAIL: followers and fresh clients fail as surely not done, sticky clients do not even notice."""
    with stage.generator(Load(reads_per_s=0, cohorts=EVEN)) as generator:
        await_ops(generator, 60)
        stage.names.rcode = dns.rcode.SERVFAIL
        broken = stage.now_ns()
        await_ops(generator, 60, pl.col("began_ns") > broken + 1.1 * NS)
    later = generator.ops().filter(WRITE, pl.col("began_ns") > broken + 1.1 * NS)
    said = {c: set(later.filter(cohort=c).select("outcome", "error").iter_rows()) for c in EVEN}
    assert said == {"follower": {("fail", "dns")}, "fresh": {("fail", "dns")}, "sticky": {("ok", None)}}


def test_a_connection_that_never_opens_is_in_doubt_and_named(stage: Stage) -> None:
    """A black hole: nobody says that it was not done, so it is unknown, and the error tells it from a lost answer."""
    hole = stage.layout.primary.gateway
    stage.names.addresses = (hole.host,)
    load = Load(orders_per_s=50, reads_per_s=0, connect_timeout_s=0.3, request_timeout_s=0.3)
    with socket.socket() as deaf:
        deaf.bind((hole.host, hole.port))
        deaf.listen(0)  # the kernel takes one or two, and drops every further attempt
        with stage.generator(load) as generator:
            await_ops(generator, 20, pl.col("error") == "connect_timeout")
    assert set(generator.ops()["outcome"]) == {"unknown"}
