"""How tests use an emulated account, and an application that stands in it."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from infra_fixtures.targets.emulated_account import EmulatedAccount
from infra_fixtures.targets.parts import ApiPart, part_of
from infra_fixtures.targets.world import World

ORDERS = "SELECT key, amount, count(*) FROM orders GROUP BY key, amount ORDER BY key"


def options(account: EmulatedAccount) -> dict[str, Any]:
    """As the command line gives them."""
    return {
        "gameday": {"path": str(account.gameday_file), "text": account.gameday_file.read_text()},
        "yes": account.account_id,
        "aws_endpoint": [f"{where}={url}" for where, url in account.endpoints.items()],
        "aws_name_server": account.name_server,
    }


def store(world: World, key: int) -> int:
    """Store an order in the primary; the status that it answers."""
    endpoint = part_of(world, ApiPart).endpoints[world.primary]
    body = json.dumps({"key": key, "amount": 7, "receipt": False}).encode()
    headers = {**endpoint.headers, "content-type": "application/json"}
    request = urllib.request.Request(endpoint.url + "/orders", data=body, headers=headers, method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(answer.status)
