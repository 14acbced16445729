"""What survived is read whole, with its content, past the application, from both stores of a region, or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterable, Iterator

import msgspec
import polars as pl
import psycopg
import pytest
from botocore.exceptions import ClientError

from drill.content import checksum, of_order
from drill.evidence import Judgement, judge
from drill.history import NS, History, Op, Outcome, Survivor
from drill.objective import Verdict
from drill.wait import wait_until
from infra_fixtures.faults.database_lost import DatabaseLost
from infra_fixtures.faults.fault import injected
from infra_fixtures.faults.lambda_throttled import LambdaThrottled
from probes.survivors import content_of, read_survivors
from tests.drill.scripted import LIMITS, altered, history
from tests.real_world import System
from traffic.contract import Objects

RECEIPTS = Objects("receipts/", content="/amount")


def survivors(system: System, keys: Iterable[int]) -> dict[tuple[str, int], list[Survivor]]:
    """What the standby holds of `keys`, by store and key."""
    wanted = set(keys)
    found: dict[tuple[str, int], list[Survivor]] = {}
    for survivor in read_survivors(system.world, system.world.standby, time.monotonic_ns() - NS):
        if survivor.key in wanted:
            found.setdefault((survivor.store, survivor.key), []).append(survivor)
    return found


def stored(system: System, keys: Iterable[int]) -> None:
    """Store orders with receipts in the primary, and wait until the standby holds both."""
    for key in keys:
        system.primary.order(key, receipt=True)
    wait_until(lambda: len(survivors(system, keys)) == 2 * len(set(keys)), what="all to arrive", timeout_s=10)


def write(system: System, *statements: str) -> None:
    """Change the primary's database behind the application."""
    database = system.world.database(system.world.primary)
    with psycopg.connect(**dataclasses.asdict(database)) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def test_rows_and_receipts_of_the_standby_are_read(system: System) -> None:
    """Every order is in aurora, each with a receipt also in s3, once, in that region, dated before the look at it."""
    t0_ns = time.monotonic_ns()
    keys = {system.primary.order(receipt=number % 2 == 0): number % 2 == 0 for number in range(6)}
    receipts = {key for key, receipt in keys.items() if receipt}

    def read() -> dict[str, list[int]]:
        found: dict[str, list[int]] = {"aurora": [], "s3": []}
        began_ns = time.monotonic_ns() - t0_ns
        for survivor in read_survivors(system.world, system.world.standby, t0_ns):
            assert survivor.copies == 1
            assert survivor.region == system.world.standby
            assert began_ns < survivor.at_ns < time.monotonic_ns() - t0_ns
            if survivor.key in keys:
                assert survivor.content == of_order(survivor.key, 7)
            found[survivor.store].append(survivor.key)
        return found

    wait_until(
        lambda: set(keys) <= set(read()["aurora"]) and receipts <= set(read()["s3"]), what="all to arrive", timeout_s=10
    )
    found = read()
    assert not (set(keys) - receipts) & set(found["s3"])
    assert all(len(store) == len(set(store)) for store in found.values())


def test_the_application_is_not_needed(system: System) -> None:
    """Where no function of the region runs, its stores are read all the same."""
    world, key = system.world, 5_000_001
    stored(system, [key])
    with injected(world, LambdaThrottled(world.standby, world.deployed.orders_function)):
        wait_until(lambda: system.standby.web.status("/health") >= 500, what="the throttle to bite", timeout_s=3)
        assert len(survivors(system, [key])) == 2


def test_half_a_ledger_is_none(system: System) -> None:
    """A dead database, a bucket that may not be read: reading raises."""
    world = system.world
    with injected(world, DatabaseLost(world.standby)), pytest.raises(psycopg.OperationalError):
        list(read_survivors(world, world.standby, 0))
    with unreadable(system), pytest.raises(ClientError, match="403"):
        list(read_survivors(world, world.standby, 0))


@contextlib.contextmanager
def unreadable(system: System) -> Iterator[None]:
    """The standby's bucket lists its objects and gives none of them."""
    stored(system, [5_000_002])
    s3, bucket = system.world.client("s3", system.world.standby), bucket_of(system)
    denied = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [denied]}))
    try:
        yield
    finally:
        s3.delete_bucket_policy(Bucket=bucket)


def bucket_of(system: System) -> str:
    """The standby's bucket."""
    return system.world.deployed.regions[system.world.standby].bucket


def test_what_changed_behind_the_application_is_seen(system: System) -> None:
    """A row with another amount, a second row of a key, an empty receipt and one with another amount."""
    changed, doubled = keys = (5_000_011, 5_000_012)
    stored(system, keys)
    s3 = system.world.client("s3", system.world.standby)
    s3.put_object(Bucket=bucket_of(system), Key=f"receipts/{changed}", Body=b"")
    body = json.dumps({"key": doubled, "amount": 8, "region": "us-west-2"}).encode()
    s3.put_object(Bucket=bucket_of(system), Key=f"receipts/{doubled}", Body=body)
    write(
        system,
        f"UPDATE orders SET amount = 8 WHERE key = {changed}",
        "ALTER TABLE orders DROP CONSTRAINT orders_pkey",
        f"INSERT INTO orders (key, amount, region) VALUES ({doubled}, 7, 'x'), ({doubled}, 9, 'x')",
    )
    try:
        wait_until(
            lambda: len(survivors(system, keys)["aurora", doubled]) == 2, what="the second row to arrive", timeout_s=10
        )
        found = survivors(system, keys)
    finally:
        write(
            system,
            f"DELETE FROM orders WHERE key = {doubled}",
            "ALTER TABLE orders ADD CONSTRAINT orders_pkey PRIMARY KEY (key)",
        )
    assert {where: sorted((s.content, s.copies) for s in each) for where, each in found.items()} == {
        ("aurora", changed): [(of_order(changed, 8), 1)],
        ("aurora", doubled): sorted([(of_order(doubled, 7), 2), (of_order(doubled, 9), 1)]),
        ("s3", changed): [(checksum(b""), 1)],
        ("s3", doubled): [(of_order(doubled, 8), 1)],
    }


def test_a_changed_amount_misses_the_drill(system: System) -> None:
    """What was acknowledged and stands unchanged is MET; an UPDATE behind the application makes it MISSED."""
    keys = (5_000_021, 5_000_022)
    stored(system, keys)
    assert judged(system, keys).verdict is Verdict.MET
    write(system, f"UPDATE orders SET amount = 8 WHERE key = {keys[1]}")

    def arrived() -> bool:
        return survivors(system, keys)["aurora", keys[1]][0].content == of_order(keys[1], 8)

    wait_until(arrived, what="the change to arrive", timeout_s=10)
    judgement = judged(system, keys)
    assert judgement.measurements["wrong_content"].value == 1
    assert judgement.verdict is Verdict.MISSED


def judged(system: System, keys: Iterable[int]) -> Judgement:
    """A drill in which also `keys` were acknowledged, with what the standby really holds of them."""
    drill = history()
    read_ns = drill.survivors["at_ns"].min() if drill.survivors is not None else None
    sent = [
        Op(
            kind,
            key,
            "follower",
            NS,
            NS + 1000,
            NS + 10**7,
            Outcome.OK,
            "us-east-1",
            201,
            None,
            store,
            of_order(key, 7),
        )
        for key in keys
        for kind, store in (("write", "aurora"), ("put_object", "s3"))
    ]
    kept = [msgspec.structs.replace(s, at_ns=read_ns) for each in survivors(system, keys).values() for s in each]
    more = History.of(ops=sent, survivors=kept)
    return judge(
        altered(
            drill,
            ops=pl.concat(f for f in (drill.ops, more.ops) if f is not None),
            survivors=pl.concat(f for f in (drill.survivors, more.survivors) if f is not None),
        ),
        LIMITS,
    )


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[5, 7]", b"{}", b'{"key": "5", "amount": 7}', b'{"key": 5}', b'{"key": 5, "amount": 7']
)
def test_what_is_no_receipt_has_a_content_of_its_own(body: bytes) -> None:
    """Its bytes' checksum, which is that of no order."""
    assert content_of(body, RECEIPTS) == checksum(body) != of_order(5, 7)


def test_a_receipt_s_content_is_its_order() -> None:
    """Spaces, further fields and their order do not matter, key and amount do."""
    assert content_of(b'{"region": "x", "amount": 7, "key": 5}', RECEIPTS) == of_order(5, 7)
    assert content_of(b'{"key": 5, "amount": 8}', RECEIPTS) != of_order(5, 7)
    assert content_of(b'{"key": 6, "amount": 7}', RECEIPTS) != of_order(5, 7)
