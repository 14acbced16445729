"""What a provisioned system does before its first customer: its tables are created, its failover alarm is armed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from infra_fixtures.gate import gate
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


def take_first_steps(
    clients: Clients, deployed: Deployed, healthy: Callable[[], bool], await_data_plane: Callable[[], None]
) -> None:
    """Arm the failover alarm, once the primary is `healthy`; meanwhile create the tables and warm the functions.

    The migration and a call in each region leave as many workers as a system has that has been serving and looked at.
    """
    given_up = threading.Event()

    def well() -> bool:
        if given_up.is_set():
            raise RuntimeError("another step failed")
        return healthy()

    with ThreadPoolExecutor(1 + len(deployed.regions)) as pool:
        arming = pool.submit(arm, clients, deployed, well)
        try:
            await_data_plane()
            warming = {r: pool.submit(invoke_orders, clients, deployed, r, "ping") for r in deployed.regions}
            with gate(deployed.primary, "creating the tables"):
                migrate(clients, deployed)
            for region, step in warming.items():
                with gate(region, "the first call of the order API"):
                    step.result()
            with gate(deployed.primary, "its health check, before the failover alarm is armed"):
                arming.result()
        except BaseException:
            given_up.set()
            raise
