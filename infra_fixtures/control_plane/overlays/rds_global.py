"""Aurora global databases: switchover, failover, removal and promotion with AWS's states and errors.

The API only says what shall be; the data plane reads that, does it and reports (`complete`).
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-disaster-recovery.html
"""

from __future__ import annotations

import re
from typing import Any

from moto.core.responses import ActionResult
from moto.rds.exceptions import InvalidDBClusterStateFault, RDSClientError
from moto.rds.models import DBCluster, GlobalCluster, RDSBackend, rds_backends
from moto.rds.responses import RDSResponse

from infra_fixtures.control_plane.overlays.patching import adds, replaces
from infra_fixtures.control_plane.overlays.rds_clusters import find_cluster, global_clusters
from infra_fixtures.run_layout import RunLayout

SWITCHING_OVER = "switching-over"
FAILING_OVER = "failing-over"
AVAILABLE = "available"
PROMOTING = "promoting"


def apply(layout: RunLayout) -> None:
    """Give moto what it lacks of global databases."""
    replaces(RDSResponse, "describe_global_clusters")(_describe)
    replaces(RDSResponse, "create_global_cluster")(_creating(RDSResponse.create_global_cluster))
    replaces(RDSResponse, "delete_global_cluster")(_deleting(RDSResponse.delete_global_cluster))
    replaces(RDSResponse, "remove_from_global_cluster")(_remove)
    adds(RDSResponse, "switchover_global_cluster")(_switchover)
    adds(RDSResponse, "failover_global_cluster")(_failover)
    replaces(RDSBackend, "__init__")(_tagging(RDSBackend.__init__))
    for backends in rds_backends.values():
        for backend in backends.values():
            _let_tag(backend)
    GlobalCluster.failover_state = None  # type: ignore[attr-defined]


def complete(account_id: str, global_id: str, writer_arn: str, status: str) -> bool:
    """Take over that a transfer is done and who writes; False where nothing of it is new. LookupError where unknown."""
    cluster = next((g for g in global_clusters(account_id) if g.resource_id == global_id.lower()), None)
    if cluster is None:
        raise LookupError(f"there is no global cluster {global_id}")
    if all(m.db_cluster_arn != writer_arn for m in cluster.members):
        raise LookupError(f"{writer_arn} is no member of the global cluster {global_id}")
    before = _roles(cluster)
    for member in cluster.members:
        member.is_writer = member.db_cluster_arn == writer_arn
        if member._status in {SWITCHING_OVER, FAILING_OVER}:
            member.status = AVAILABLE
    cluster.status = status
    cluster.failover_state = None  # type: ignore[attr-defined]
    return before != _roles(cluster)


def _roles(cluster: GlobalCluster) -> object:
    return cluster.status, [(m.db_cluster_arn, m.is_writer, m._status) for m in cluster.members]


def _find(account_id: str, global_id: str) -> GlobalCluster:
    for cluster in global_clusters(account_id):
        if cluster.resource_id == global_id.lower():
            return cluster
    raise RDSClientError("GlobalClusterNotFoundFault", f"Global cluster {global_id} not found")


def _describe(self: RDSResponse) -> ActionResult:
    """moto ignores GlobalClusterIdentifier."""
    identifier = self.params.get("GlobalClusterIdentifier")
    found = [_find(self.current_account, identifier)] if identifier else global_clusters(self.current_account)
    return ActionResult({"GlobalClusters": found})


def _creating(original: Any) -> Any:
    def create_global_cluster(self: RDSResponse) -> ActionResult:
        name = self.params["GlobalClusterIdentifier"]
        if any(g.resource_id == name.lower() for g in global_clusters(self.current_account)):
            raise RDSClientError("GlobalClusterAlreadyExistsFault", f"Global cluster {name} already exists")
        if source := self.params.get("SourceDBClusterIdentifier"):
            # moto looks for it in us-east-1 only, whatever its ARN says, and does not make it the writer.
            cluster = _from_source(self, name, find_cluster(self.current_account, source, self.region))
            return ActionResult({"GlobalCluster": cluster})
        result: ActionResult = original(self)
        _find(self.current_account, name).tags = self.params.get("Tags") or []
        return result

    return create_global_cluster


def _from_source(response: RDSResponse, name: str, source: DBCluster) -> GlobalCluster:
    backend = response.global_backend
    made = GlobalCluster(
        backend,
        name,
        source.engine,
        source.engine_version,
        source.storage_encrypted,
        response.params.get("DeletionProtection"),
    )
    made.tags = response.params.get("Tags") or []
    made.members.append(source)
    source.is_writer = True
    source.global_cluster_identifier = made.resource_id
    backend.global_clusters[made.resource_id] = made
    return made


def _deleting(original: Any) -> Any:
    def delete_global_cluster(self: RDSResponse) -> ActionResult:
        cluster = _find(self.current_account, self.params["GlobalClusterIdentifier"])
        if cluster.deletion_protection:
            raise _invalid_global(f"Global cluster {cluster.resource_id} has deletion protection on")
        result: ActionResult = original(self)
        return result

    return delete_global_cluster


def _switchover(self: RDSResponse) -> ActionResult:
    return _transfer(self, data_loss=False)


def _failover(self: RDSResponse) -> ActionResult:
    """AllowDataLoss is a failover; without it (or with Switchover) the operation is a switchover."""
    data_loss = _true(self.params.get("AllowDataLoss"))
    if data_loss and _true(self.params.get("Switchover")):
        raise RDSClientError("InvalidParameterCombination", "AllowDataLoss and Switchover can't be specified together")
    return _transfer(self, data_loss=data_loss)


def _transfer(response: RDSResponse, *, data_loss: bool) -> ActionResult:
    """Check as AWS does, then say that the roles are moving; the data plane moves them."""
    account = response.current_account
    cluster = _find(account, response.params["GlobalClusterIdentifier"])
    target = find_cluster(account, response.params["TargetDbClusterIdentifier"], response.region)
    if cluster.status != AVAILABLE:
        raise _invalid_global(f"Global cluster {cluster.resource_id} is in {cluster.status} state, not available")
    if target not in cluster.members:
        raise InvalidDBClusterStateFault(
            f"DB cluster {target.db_cluster_arn} is not a member of global cluster {cluster.resource_id}"
        )
    writer = next((m for m in cluster.members if m.is_writer), None)
    if target is writer:
        raise InvalidDBClusterStateFault(
            f"DB cluster {target.db_cluster_arn} is already the primary of global cluster {cluster.resource_id}"
        )
    # A failover is for when the primary is not well; a switchover needs every member to be.
    for member in [target] if data_loss else cluster.members:
        if member.status not in {AVAILABLE, "creating"}:
            raise InvalidDBClusterStateFault(
                f"DB cluster {member.db_cluster_arn} is in {member.status} state, not available"
            )
    status = FAILING_OVER if data_loss else SWITCHING_OVER
    cluster.status = status
    cluster.failover_state = {  # type: ignore[attr-defined]
        "Status": FAILING_OVER,
        "FromDbClusterArn": writer.db_cluster_arn if writer else None,
        "ToDbClusterArn": target.db_cluster_arn,
        "IsDataLossAllowed": data_loss,
    }
    for member in cluster.members:
        member.status = status
    return ActionResult({"GlobalCluster": cluster})


def _remove(self: RDSResponse) -> ActionResult:
    """Detach a member: a secondary becomes a writer of its own, the primary must be the last.

    https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-detaching.html
    """
    account = self.current_account
    cluster = _find(account, self.params["GlobalClusterIdentifier"])
    member = find_cluster(account, self.params["DbClusterIdentifier"], self.region)
    if member not in cluster.members:
        raise InvalidDBClusterStateFault(
            f"DB cluster {member.db_cluster_arn} is not a member of global cluster {cluster.resource_id}"
        )
    if cluster.status != AVAILABLE:
        raise _invalid_global(f"Global cluster {cluster.resource_id} is in {cluster.status} state, not available")
    if member.is_writer and len(cluster.members) > 1:
        raise _invalid_global(
            f"Global cluster {cluster.resource_id} has secondary clusters: remove them before its primary"
        )
    cluster.members.remove(member)
    member.global_cluster_identifier = None
    if not member.is_writer:
        member.status = PROMOTING
    return ActionResult({"GlobalCluster": cluster})


def _invalid_global(message: str) -> RDSClientError:
    return RDSClientError("InvalidGlobalClusterStateFault", message)


def _true(value: object) -> bool:
    return value is True or str(value).lower() == "true"


def _tagging(original: Any) -> Any:
    def init(self: RDSBackend, region_name: str, account_id: str) -> None:
        original(self, region_name, account_id)
        _let_tag(self)

    return init


def _let_tag(backend: RDSBackend) -> None:
    """moto's own pattern of taggable ARNs leaves global clusters out."""
    pattern = backend.arn_regex.pattern
    backend.arn_regex = re.compile(pattern.replace("(db|", "(global-cluster|db|"))
