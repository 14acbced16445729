"""The failover controller: a function in the standby that makes the standby's database the writer, once.

Fired by the canary's alarm over SNS it decides by itself: where the primary's RDS API answers, its cluster is available
and its database takes writes (only its front is lost), a managed switchover loses nothing; else a failover that may lose
what had not been replicated. Invoked with {"mode": "switchover"} it hands over as planned: capacity, database, traffic.
https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-global-database-disaster-recovery.html
Every decision is one JSON line in the log.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from drill.wait import WaitTimeout, wait_until
from infra_fixtures.workload.log_line import log_line

PRIMARY_ANSWERS_WITHIN_S = 2
POLL_INTERVAL_S = 0.1
AVAILABLE = "available"
MOVING = frozenset({"switching-over", "failing-over"})
STATUS_LAGS_AT_MOST_S = 10.0
WRONG_STATE = frozenset({"InvalidGlobalClusterStateFault", "InvalidDBClusterStateFault"})


class HandoverFailed(Exception):
    """The database did not move; the message says why, and nothing was done to the traffic."""


@dataclass(frozen=True, slots=True)
class PrimaryState:
    """What the standby can learn of the primary; `because` says it in words."""

    well: bool
    because: str


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """An SNS event of the alarm, or {"mode": "switchover" | "failover"}."""
    if event.get("mode") == "switchover":
        return planned()
    if event.get("mode") == "failover":
        return unplanned("asked for")
    reasons = [reason for record in event.get("Records", ()) if (reason := _alarmed(record))]
    if not reasons:
        return _decided("nothing", "the event is no alarm of ours")
    return unplanned(reasons[0])


def unplanned(reason: str) -> dict[str, Any]:
    """Promote the standby's database by the safest way that is open; does nothing where that is done or under way."""
    status, writer = _global_cluster()
    if writer == _env("STANDBY_CLUSTER_ARN"):
        return _decided("nothing", "the standby's cluster is the writer already", alarm=reason)
    if status in MOVING:
        return _decided("nothing", f"the global cluster is {status}", alarm=reason)
    state = primary_state()
    if state.well and _ask("switchover", state.because, reason):
        capacity = raise_capacity()
        if _moved():
            return _decided("switched over", state.because, alarm=reason, capacity=capacity)
        state = PrimaryState(False, "the switchover did not complete")
    if not _ask("failover", state.because, reason):
        return _decided("nothing", "somebody else is moving the global cluster", alarm=reason)
    capacity = raise_capacity()
    if not _moved():
        raise HandoverFailed(f"the failover did not complete in {_env('TRANSFER_LIMIT_S')} s")
    return _decided("failed over", state.because, alarm=reason, capacity=capacity)


def planned() -> dict[str, Any]:
    """Capacity first, then the database; the traffic follows the writer through the primary's health check."""
    capacity = raise_capacity()
    status, writer = _global_cluster()
    if writer != _env("STANDBY_CLUSTER_ARN"):
        if status not in MOVING and not _ask("switchover", "planned", ""):
            raise HandoverFailed("the global cluster refused the switchover")
        if not _moved():
            raise HandoverFailed(f"the switchover did not complete in {_env('TRANSFER_LIMIT_S')} s")
    # The primary's health check looks for its writer, so Route 53 now leads traffic to the standby by itself.
    return _decided("switched over", "planned", capacity=capacity)


def primary_state() -> PrimaryState:
    """Whether the primary's database can hand over; both questions are asked at once and cost 2 s at most."""
    region = _env("PRIMARY_REGION")
    rds, functions = _client("rds", region), _client("lambda", region)
    with ThreadPoolExecutor(2) as pool:
        cluster, database = pool.submit(_cluster_trouble, rds), pool.submit(_database_trouble, functions)
        trouble = cluster.result() or database.result()
    return PrimaryState(not trouble, trouble or "the primary's database is well")


def _cluster_trouble(rds: Any) -> str:
    identity = _env("PRIMARY_CLUSTER_ARN").rpartition(":")[2]
    try:
        cluster = rds.describe_db_clusters(DBClusterIdentifier=identity)["DBClusters"][0]
        if cluster["Status"] != AVAILABLE:
            return f"the primary's cluster is {cluster['Status']}"
        instances = rds.describe_db_instances(Filters=[{"Name": "db-cluster-id", "Values": [identity]}])["DBInstances"]
    except (BotoCoreError, ClientError) as e:
        return f"the primary's RDS API does not answer: {type(e).__name__}"
    if all(i["DBInstanceStatus"] != AVAILABLE for i in instances):
        return "no instance of the primary's cluster is available"
    return ""


def _database_trouble(functions: Any) -> str:
    """Asked through the primary's order function, as the database is in private subnets.

    A throttled function proves nothing about the database, so RDS's word stands; a switchover that then cannot proceed
    is given up and becomes a failover.
    """
    try:
        answer = functions.invoke(FunctionName=_env("ORDERS_FUNCTION"), Payload=b'{"action": "ping"}')
        said = json.loads(answer["Payload"].read())
    except ClientError as e:
        if e.response["Error"]["Code"] == "TooManyRequestsException":
            return ""
        return f"the primary's function does not answer: {e.response['Error']['Code']}"
    except (BotoCoreError, ValueError) as e:
        return f"the primary's function does not answer: {type(e).__name__}"
    if answer.get("FunctionError") or not said.get("writes"):
        return f"the primary's database takes no writes: {said.get('error') or said.get('errorType')}"
    return ""


def raise_capacity() -> str:
    """Give the standby what the primary has; what fails is said and does not stop the database's promotion."""
    function, alias = _env("ORDERS_FUNCTION"), _env("ORDERS_ALIAS")
    reserved, low, high = (int(_env(n)) for n in ("RAISED_RESERVED", "RAISED_SCALING_MIN", "RAISED_SCALING_MAX"))
    provisioned = int(_env("RAISED_PROVISIONED"))
    steps: list[tuple[str, Callable[[], Any]]] = [
        (
            f"reserved {reserved}",
            lambda: _client("lambda").put_function_concurrency(
                FunctionName=function, ReservedConcurrentExecutions=reserved
            ),
        ),
        (
            f"scaling {low} to {high}",
            lambda: _client("application-autoscaling").register_scalable_target(
                ServiceNamespace="lambda",
                ResourceId=f"function:{function}:{alias}",
                ScalableDimension="lambda:function:ProvisionedConcurrency",
                MinCapacity=low,
                MaxCapacity=high,
            ),
        ),
    ]
    if provisioned:
        steps.append(
            (
                f"provisioned {provisioned}",
                lambda: _client("lambda").put_provisioned_concurrency_config(
                    FunctionName=function, Qualifier=alias, ProvisionedConcurrentExecutions=provisioned
                ),
            )
        )
    done = []
    for name, step in steps:
        try:
            step()
        except (BotoCoreError, ClientError) as e:
            log_line("capacity not raised", step=name, error=str(e)[:300])
            name = f"{name} failed"
        done.append(name)
    return ", ".join(done)


def _ask(way: str, because: str, alarm: str) -> bool:
    """Start a switchover or a failover; False where RDS says that the global cluster is in no state for it."""
    log_line("asking for a " + way, because=because, alarm=alarm)
    rds = _client("rds")
    names = {
        "GlobalClusterIdentifier": _env("GLOBAL_CLUSTER_ID"),
        "TargetDbClusterIdentifier": _env("STANDBY_CLUSTER_ARN"),
    }
    try:
        if way == "failover":
            rds.failover_global_cluster(**names, AllowDataLoss=True)
        else:
            rds.switchover_global_cluster(**names)
    except ClientError as e:
        log_line(way + " refused", error=str(e)[:300])
        if e.response["Error"]["Code"] not in WRONG_STATE:
            raise
        return False
    return True


def _moved() -> bool:
    """Wait until the global cluster has settled; whether the standby's cluster is its writer then.

    The status may lag behind the request: "available" with the old writer counts once another status was seen, or
    after a while.
    """
    began_s, moving, writer = time.monotonic(), False, ""

    def settled() -> bool:
        nonlocal moving, writer
        status, writer = _global_cluster()
        moving = moving or status != AVAILABLE
        late = time.monotonic() - began_s > STATUS_LAGS_AT_MOST_S
        return status == AVAILABLE and (writer == _env("STANDBY_CLUSTER_ARN") or moving or late)

    try:
        wait_until(
            settled,
            what="the global cluster to settle",
            timeout_s=float(_env("TRANSFER_LIMIT_S")),
            every_s=POLL_INTERVAL_S,
        )
    except WaitTimeout:
        return False
    return writer == _env("STANDBY_CLUSTER_ARN")


def _global_cluster() -> tuple[str, str]:
    """Status and writer's ARN, from the standby's own RDS API."""
    found = _client("rds").describe_global_clusters(GlobalClusterIdentifier=_env("GLOBAL_CLUSTER_ID"))
    cluster = found["GlobalClusters"][0]
    writer = next((str(m["DBClusterArn"]) for m in cluster["GlobalClusterMembers"] if m["IsWriter"]), "")
    return str(cluster["Status"]), writer


def _alarmed(record: Mapping[str, Any]) -> str:
    """What the alarm says, where the record is our alarm going off; else empty."""
    try:
        alarm = json.loads(record["Sns"]["Message"])
    except (KeyError, ValueError, TypeError):
        return ""
    if alarm.get("AlarmName") != _env("ALARM_NAME") or alarm.get("NewStateValue") != "ALARM":
        return ""
    return str(alarm.get("NewStateReason") or "alarm")


def _decided(what: str, because: str, **facts: Any) -> dict[str, Any]:
    decision = {"decision": what, "because": because, **facts}
    log_line("decision", **decision)
    return decision


def _env(name: str) -> str:
    return os.environ[name]


_session = boto3.session.Session()
_clients: dict[tuple[str, str], Any] = {}


def _client(service: str, region: str = "") -> Any:
    """A kept client; those of the primary's region give up after 2 s."""
    region = region or os.environ["AWS_REGION"]
    if (service, region) not in _clients:
        own = region == os.environ["AWS_REGION"]
        config = Config(
            connect_timeout=PRIMARY_ANSWERS_WITHIN_S,
            read_timeout=10 if own else PRIMARY_ANSWERS_WITHIN_S,
            retries={"total_max_attempts": 3 if own else 1},
        )
        _clients[service, region] = _session.client(service, region_name=region, config=config)
    return _clients[service, region]
