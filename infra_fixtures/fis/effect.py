"""Whether an action that FIS says is running has changed anything, where that can be read: its word alone proves nothing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from drill.wait import WaitTimeout, wait_until
from infra_fixtures.fis.experiment import HARMLESS, LOOK_EVERY_S, ExperimentFailed, State

EFFECTIVE_WITHIN_S = 30.0
ISOLATING = "aws:network:disrupt-connectivity"


def resources_of(action: Mapping[str, Any], resolved: Mapping[str, list[str]]) -> list[str]:
    """The ARNs of an action's targets."""
    return [arn for target in action.get("targets", {}).values() for arn in resolved.get(target, ())]


def acls_of(ec2: Any, subnets: list[str]) -> dict[str, str]:
    """The network ACL of each of these subnets."""
    if not subnets:
        return {}
    asked = {"Filters": [{"Name": "association.subnet-id", "Values": subnets}]}
    found = ec2.describe_network_acls(**asked)["NetworkAcls"]
    return {
        a["SubnetId"]: acl["NetworkAclId"] for acl in found for a in acl["Associations"] if a["SubnetId"] in subnets
    }


class Effect:
    """What the isolated subnets were like before. Made before the experiment is started."""

    def __init__(self, ec2: Any, actions: Mapping[str, Mapping[str, Any]], resolved: Mapping[str, list[str]]) -> None:
        self._ec2 = ec2
        self._before = {
            name: acls_of(ec2, [arn.rpartition("/")[2] for arn in resources_of(action, resolved)])
            for name, action in actions.items()
            if action["actionId"] == ISOLATING
        }

    @property
    def acls(self) -> dict[str, str]:
        """The ACL that each subnet had, of all actions."""
        return {subnet: acl for acls in self._before.values() for subnet, acl in acls.items()}

    def await_it(self, state: State, seen_ns: int) -> int:
        """The time.monotonic_ns() by which the actions that have begun took effect; `seen_ns` where only FIS can tell.

        Raises ExperimentFailed where they are under way and a subnet keeps the ACL that it had.
        """
        begun = [name for name, a in state.actions.items() if a.begun and a.action_id not in HARMLESS]
        before = [self._before.get(name, {}) for name in begun]
        if not all(before):
            return seen_ns  # one that cannot be read has begun
        subnets = sorted({subnet for acls in before for subnet in acls})
        known = self.acls

        def all_have_another() -> bool:
            found = acls_of(self._ec2, subnets)
            return all(found.get(subnet, known[subnet]) != known[subnet] for subnet in subnets)

        try:
            wait_until(
                all_have_another,
                what=f"{state.id} to give {', '.join(subnets)} another network ACL, as FIS says it does",
                timeout_s=EFFECTIVE_WITHIN_S,
                every_s=LOOK_EVERY_S / 4,
            )
        except WaitTimeout as e:
            raise ExperimentFailed(str(e)) from e
        return time.monotonic_ns()
