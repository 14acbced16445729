"""What a provisioned system does before its first customer: its tables are created, its failover alarm is armed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from infra_fixtures.provision import monitoring
from infra_fixtures.provision.boto_errors import retry_while
from infra_fixtures.provision.deployed import Deployed
from infra_fixtures.provision.naming import Names
from infra_fixtures.provision.stack import Clients

INVOKE_LIMIT_S = 30.0


class MigrationFailed(Exception):
    """The order API could not create its tables; the message is its own."""


def invoke_orders(clients: Clients, deployed: Deployed, region: str, action: str) -> Any:
    """Invoke a region's order API directly and return Lambda's answer.

    An invocation that Lambda throttles has not run; it is repeated for a while. Raises WaitTimeout where none ever ran.
    """
    return retry_while(
        "TooManyRequestsException",
        clients.client("lambda", region).invoke,
        what=f"{deployed.orders_function} in {region} to {action}",
        timeout_s=INVOKE_LIMIT_S,
        every_s=0.2,
        FunctionName=deployed.orders_function,
        Qualifier=deployed.orders_alias,
        Payload=json.dumps({"action": action}).encode(),
    )


def migrate(clients: Clients, deployed: Deployed) -> None:
    """Have the primary's order API create its tables (the database is in private subnets); MigrationFailed."""
    answer = invoke_orders(clients, deployed, deployed.primary, "migrate")
    said = answer["Payload"].read().decode(errors="replace")
    if answer.get("FunctionError") or "migrated" not in said:
        raise MigrationFailed(
            f"{deployed.orders_function} in {deployed.primary} did not create its tables: {said[:500]}"
        )


def arm(clients: Clients, deployed: Deployed, healthy: Callable[[], bool]) -> None:
    """Start the canary once the primary is `healthy`, and arm the failover alarm."""
    monitoring.arm(
        clients.client("cloudwatch", deployed.standby),
        clients.client("lambda", deployed.standby),
        Names(deployed.run_id),
        deployed.alarm_name,
        healthy,
    )
