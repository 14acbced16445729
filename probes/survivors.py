"""What did the survivors keep? Every order in the surviving database, every receipt in the surviving bucket."""

from __future__ import annotations

import time
from collections.abc import Iterator

from drill.history import Survivor
from infra_fixtures.targets.world import World
from probes.web import Client

PAGE = 20_000
RECEIPTS = "receipts/"


def read_survivors(world: World, region: str, t0_ns: int) -> Iterator[Survivor]:
    """Both stores of `region`, whole: the orders through its API (the ledger export), the receipts from its bucket.

    Raises where either cannot be read: half a ledger proves nothing.
    """
    client = Client(world.regional(region))
    after: int | None = None
    while True:
        cursor = "" if after is None else f"&after={after}"
        page = client.ask("GET", f"/orders?limit={PAGE}{cursor}")
        at_ns = time.monotonic_ns() - t0_ns
        for key in page["keys"]:
            yield Survivor("aurora", int(key), 1, at_ns)
        after = page["next"]
        if after is None:
            break
    pages = world.client("s3", region).get_paginator("list_objects_v2")
    for found in pages.paginate(Bucket=world.deployed.regions[region].bucket, Prefix=RECEIPTS):
        at_ns = time.monotonic_ns() - t0_ns
        for item in found.get("Contents", ()):
            yield Survivor("s3", int(item["Key"].removeprefix(RECEIPTS)), 1, at_ns)
