"""Which versions of Aurora PostgreSQL there are, and for which instance classes: moto does not say.

https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBEngineVersions.html
https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeOrderableDBInstanceOptions.html
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.rds.responses import RDSResponse

from infra_fixtures.control_plane.overlays.patching import adds, replaces
from infra_fixtures.run_layout import RunLayout

ENGINE = "aurora-postgresql"
VERSIONS = ("15.10", "16.4", "16.6")
"""Some that AWS has, of the major version that the data plane runs and the one before."""
CLASSES = ("db.r6g.large", "db.r6g.xlarge", "db.r6g.2xlarge", "db.t4g.medium")


def apply(layout: RunLayout) -> None:
    """Have moto say so; of any other engine nothing is offered."""
    adds(RDSResponse, "describe_db_engine_versions")(_versions)
    replaces(RDSResponse, "describe_orderable_db_instance_options")(_orderable)


def _versions(self: RDSResponse) -> ActionResult:
    asked, engine = self.params.get("EngineVersion"), self.params.get("Engine", ENGINE)
    found = [
        {
            "Engine": ENGINE,
            "EngineVersion": version,
            "DBParameterGroupFamily": f"{ENGINE}{version.partition('.')[0]}",
            "SupportsGlobalDatabases": True,
        }
        for version in VERSIONS
        if engine == ENGINE and asked in (None, version)
    ]
    return ActionResult({"DBEngineVersions": found})


def _orderable(self: RDSResponse) -> ActionResult:
    version, kind, engine = (self.params.get(name) for name in ("EngineVersion", "DBInstanceClass", "Engine"))
    found: list[dict[str, Any]] = [
        {"Engine": ENGINE, "EngineVersion": v, "DBInstanceClass": k, "SupportsGlobalDatabases": True}
        for v in VERSIONS
        for k in CLASSES
        if engine == ENGINE and version in (None, v) and kind in (None, k)
    ]
    return ActionResult({"OrderableDBInstanceOptions": found})
