"""What did the survivors keep? Every row of the surviving database, every receipt of the surviving bucket, with its content.

Both are read past the application: it may be down, and it does not show what it does not know, such as a second row of
an order.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import psycopg

from drill.content import checksum, of_order
from drill.history import Survivor
from infra_fixtures.targets.world import DatabaseEndpoint, World

ROWS = "SELECT key, amount, count(*) FROM orders GROUP BY key, amount ORDER BY key"
ROWS_A_FETCH = 20_000
CONNECT_LIMIT_S = 5
STATEMENT_LIMIT_S = 60
RECEIPTS = "receipts/"
READERS = 16


class Receipt(msgspec.Struct, frozen=True):
    """What of a receipt must be as it was sent."""

    key: int
    amount: int


def read_survivors(world: World, region: str, t0_ns: int) -> Iterator[Survivor]:
    """Both stores of `region`, whole, each dated before the first look at it: what is stored later may be missing.

    Raises where either cannot be read: half a ledger proves nothing.
    """
    yield from _rows(world.database(region), region, t0_ns)
    yield from _receipts(world.client("s3", region), world.deployed.regions[region].bucket, region, t0_ns)


def _rows(database: DatabaseEndpoint, region: str, t0_ns: int) -> Iterator[Survivor]:
    """All orders in one snapshot (a cursor's), never more than a fetch of them in memory."""
    with (
        psycopg.connect(
            **dataclasses.asdict(database),
            connect_timeout=CONNECT_LIMIT_S,
            options=f"-c statement_timeout={STATEMENT_LIMIT_S}s -c default_transaction_read_only=on",
            application_name="survivors",
        ) as connection,
        connection.cursor(name="survivors") as cursor,
    ):
        at_ns = time.monotonic_ns() - t0_ns
        cursor.itersize = ROWS_A_FETCH
        for key, amount, copies in cursor.execute(ROWS):
            yield Survivor("aurora", key, copies, at_ns, region, of_order(key, amount))


def _receipts(s3: Any, bucket: str, region: str, t0_ns: int) -> Iterator[Survivor]:
    """All receipts, some of them at a time."""
    at_ns = time.monotonic_ns() - t0_ns
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=RECEIPTS)
    names = [item["Key"] for page in pages for item in page.get("Contents", ())]

    def read(name: str) -> Survivor:
        body = s3.get_object(Bucket=bucket, Key=name)["Body"].read()
        return Survivor("s3", int(name.removeprefix(RECEIPTS)), 1, at_ns, region, content_of(body))

    with ThreadPoolExecutor(READERS) as pool:
        yield from pool.map(read, names)


def content_of(body: bytes) -> int:
    """The checksum of the order in a receipt, or of the bytes where they are no receipt, which no order has."""
    try:
        receipt = msgspec.json.decode(body, type=Receipt)
    except msgspec.MsgspecError:
        return checksum(body)
    return of_order(receipt.key, receipt.amount)
