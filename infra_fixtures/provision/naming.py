"""How everything of a run is named and tagged, so that it is found again, and nothing else is ever deleted."""

from __future__ import annotations

import re
from dataclasses import dataclass

from drill.unusable import UnusableInput

RUN_TAG = "failover-drill:run-id"
PART_TAG = "failover-drill:part"
"""What the resource is within its run; EC2's have no names of their own and are found by it."""
_RUN_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,26}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one run; all lower case, as S3 and RDS want them. `more` are tags that everything carries besides."""

    run_id: str
    more: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not _RUN_ID.fullmatch(self.run_id) or "--" in self.run_id:
            raise UnusableInput(
                f"run id {self.run_id!r} cannot name AWS resources: use at most 28 letters, digits and single hyphens"
            )

    def of(self, *parts: str) -> str:
        """A name: drill-<run id>-<parts>."""
        return "-".join(("drill", self.run_id.lower(), *parts))

    @property
    def prefix(self) -> str:
        """What every name of the run begins with."""
        return self.of("")

    @property
    def orders(self) -> str:
        """The order API's function, in both regions."""
        return self.of("orders")

    @property
    def controller(self) -> str:
        """The failover controller's function, in the standby."""
        return self.of("failover-controller")

    @property
    def canary(self) -> str:
        """The canary's function, in the standby."""
        return self.of("canary")

    @property
    def reader(self) -> str:
        """The function that reads the database for the harness, in both regions where it is wanted."""
        return self.of("reader")

    @property
    def global_cluster(self) -> str:
        """The Aurora global cluster."""
        return self.of("global")

    def cluster(self, region: str) -> str:
        """A region's Aurora cluster."""
        return self.of(region)

    def instance(self, region: str) -> str:
        """Its one instance."""
        return self.of(region, "1")

    def bucket(self, region: str, account: str) -> str:
        """A region's bucket of receipts; names are shared by all accounts, so the account is part of it."""
        return self.of(region, account)

    def log_group(self, function: str) -> str:
        """Where a function logs."""
        return f"/aws/lambda/{function}"

    def tags(self, part: str) -> dict[str, str]:
        """Tags as a mapping (Lambda, API Gateway, Logs)."""
        return {**dict(self.more), "Name": self.of(part), RUN_TAG: self.run_id, PART_TAG: part}

    def tag_list(self, part: str) -> list[dict[str, str]]:
        """Tags as Key and Value pairs (most services)."""
        return [{"Key": k, "Value": v} for k, v in self.tags(part).items()]

    def tagged(self, resource_type: str, part: str) -> list[dict[str, object]]:
        """Tags as EC2's create calls take them."""
        return [{"ResourceType": resource_type, "Tags": self.tag_list(part)}]
