"""The names AWS gives its own endpoints, as far as this system uses them: regional API Gateway endpoints."""

from __future__ import annotations

import re

from infra_fixtures.run_layout import RunLayout

_EXECUTE_API = re.compile(r"[a-z0-9-]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com\.")

ALIAS_TTL_S = 60
"""The TTL of what AWS's own names answer, and so of an alias to them.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-choosing-alias-non-alias.html
"""


class AwsNames:
    """Where a regional API's name leads: to the link before the region's API Gateway."""

    def __init__(self, layout: RunLayout) -> None:
        self._edges = {r.name: r.edge.host for r in layout.regions}

    def address(self, name: str) -> str | None:
        """The IPv4 address of an absolute name, whichever its first label; None where it is no endpoint of this run."""
        found = _EXECUTE_API.fullmatch(name)
        return self._edges.get(found[1]) if found else None
