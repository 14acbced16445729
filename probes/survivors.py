"""What did the survivors keep? Every record and every receipt of the surviving region, with its content.

Where is in the application's contract. A database and a bucket are read past the application: it may be down, and it
does not show what it does not know, such as a second row of an order. A list is read through the application.
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
from infra_fixtures.targets.parts import ApiPart, BucketPart, RowsPart, WorkloadPart, part_of
from infra_fixtures.targets.world import DatabaseEndpoint, World
from probes.listing import list_records
from traffic.contract import Objects, Rows
from traffic.pointer import find

ROWS_A_FETCH = 20_000
CONNECT_LIMIT_S = 5
STATEMENT_LIMIT_S = 60
READERS = 16


def read_survivors(world: World, region: str, t0_ns: int) -> Iterator[Survivor]:
    """Every store of `region`, whole, each dated before the first look at it: what is stored later may be missing.

    Raises where any cannot be read: half a ledger proves nothing.
    """
    stores = part_of(world, WorkloadPart).contract.survivors
    if stores.rows is not None:
        through = world.part(RowsPart)
        if through is None:
            yield from _rows(world.database(region), stores.rows, region, t0_ns)
        else:
            yield from _rows_through(through, stores.rows, region, t0_ns)
    if stores.listing is not None:
        yield from list_records(part_of(world, ApiPart).endpoints[region], stores.listing, region, t0_ns)
    if stores.objects is not None:
        bucket = part_of(world, BucketPart).names[region]
        yield from _receipts(world.client("s3", region), bucket, stores.objects, region, t0_ns)


def _rows(database: DatabaseEndpoint, rows: Rows, region: str, t0_ns: int) -> Iterator[Survivor]:
    """All records in one snapshot (a cursor's), never more than a fetch of them in memory."""
    with (
        psycopg.connect(
            **dataclasses.asdict(database),
            connect_timeout=CONNECT_LIMIT_S,
            require_auth="scram-sha-256",
            options=f"-c statement_timeout={STATEMENT_LIMIT_S}s -c default_transaction_read_only=on",
            application_name="survivors",
        ) as connection,
        connection.cursor(name="survivors") as cursor,
    ):
        at_ns = time.monotonic_ns() - t0_ns
        cursor.itersize = ROWS_A_FETCH
        for key, content, copies in cursor.execute(rows.sql.encode()):
            yield Survivor("aurora", key, copies, at_ns, region, of_order(key, content))


def _rows_through(through: RowsPart, rows: Rows, region: str, t0_ns: int) -> Iterator[Survivor]:
    """All records that are there when the reading begins: none is deleted, so a later page lacks none of them."""
    at_ns = time.monotonic_ns() - t0_ns
    for key, content, copies in through.read(region, rows.sql):
        yield Survivor("aurora", key, copies, at_ns, region, of_order(key, content))


def _receipts(s3: Any, bucket: str, objects: Objects, region: str, t0_ns: int) -> Iterator[Survivor]:
    """All receipts, some of them at a time."""
    at_ns = time.monotonic_ns() - t0_ns
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=objects.prefix)
    names = [item["Key"] for page in pages for item in page.get("Contents", ())]

    def read(name: str) -> Survivor:
        body = s3.get_object(Bucket=bucket, Key=name)["Body"].read()
        return Survivor("s3", int(name.removeprefix(objects.prefix)), 1, at_ns, region, content_of(body, objects))

    with ThreadPoolExecutor(READERS) as pool:
        yield from pool.map(read, names)


def content_of(body: bytes, objects: Objects) -> int:
    """The checksum of the write in a receipt, or of the bytes where they are no receipt, which no write has."""
    try:
        receipt = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return checksum(body)
    key, content = find(receipt, objects.key), find(receipt, objects.content)
    return of_order(key, content) if type(key) is int and type(content) is int else checksum(body)
