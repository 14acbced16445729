"""FIS on the wire: each action bites where packets, sessions and invocations are, and afterwards all is as before."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import psycopg
import pytest

from drill.wait import wait_until
from infra_fixtures.internal_api.clients import client
from tests.infra_fixtures.conftest import planned_layout
from tests.infra_fixtures.control_plane.fis.conftest import EVERYTHING, TRUST, Experiments, role_for
from tests.infra_fixtures.data_plane.deploying import ROLE, deploy
from tests.infra_fixtures.data_plane.running import EAST, WEST, Running, data_plane


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A data plane at pace 100 whose primary cluster has two instances, tagged for experiments."""
    with planned_layout() as layout, data_plane(msgspec.structs.replace(layout, pace=100.0)) as running:
        rds = client(running.layout, "rds", EAST)
        for name in ("east-1", "east-2"):
            rds.create_db_instance(
                DBInstanceIdentifier=name, DBInstanceClass="db.r6g.large", Engine="aurora-postgresql",
                DBClusterIdentifier="east", Tags=[{"Key": "break", "Value": name}],
            )  # fmt: skip
        cluster = rds.describe_db_clusters()["DBClusters"][0]["DBClusterArn"]
        rds.add_tags_to_resource(ResourceName=cluster, Tags=[{"Key": "break", "Value": "me"}])
        yield running


@pytest.fixture(scope="module")
def role(running: Running) -> str:
    """A role that FIS may assume."""
    return role_for(client(running.layout, "iam", EAST), "experiments", TRUST)


def experiments(running: Running, role: str, region: str = EAST) -> Experiments:
    """Experiments in a region."""
    return Experiments(client(running.layout, "fis", region), role)


class Writer:
    """Commits to the primary one after another, in a thread, and reconnects when its session ends."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self.acknowledged: list[int] = []
        self.sessions = 0
        self.longest_s = 0.0

    def __enter__(self) -> Writer:
        self._thread.start()
        wait_until(lambda: len(self.acknowledged) > 20, what="commits", timeout_s=10)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _write(self) -> None:
        host, last = self._running.layout.primary.writer.host, time.monotonic()
        key = 0
        while not self._stop.is_set():
            try:
                with psycopg.connect(**self._running.login(host)) as connection:
                    self.sessions += 1
                    while not self._stop.is_set():
                        key += 1
                        connection.execute("INSERT INTO fis_writes VALUES (%s)", (key,))
                        self.acknowledged.append(key)
                        now = time.monotonic()
                        self.longest_s, last = max(self.longest_s, now - last), now
            except psycopg.OperationalError:
                time.sleep(0.02)


@pytest.mark.parametrize(
    ("action", "key", "target"),
    [
        (
            "aws:rds:reboot-db-instances",
            "DBInstances",
            {"resourceType": "aws:rds:db", "resourceTags": {"break": "east-1"}},
        ),
        (
            "aws:rds:failover-db-cluster",
            "Clusters",
            {"resourceType": "aws:rds:cluster", "resourceTags": {"break": "me"}},
        ),
    ],
)
def test_a_database_is_away_and_back(
    running: Running, role: str, action: str, key: str, target: Mapping[str, Any]
) -> None:
    """Sessions end, the writer is back within seconds without the loss of a commit, and the standby follows on."""
    host = running.layout.primary.writer.host
    running.sql(host, "CREATE TABLE IF NOT EXISTS fis_writes (id int)")
    running.sql(host, "TRUNCATE fis_writes")
    run = experiments(running, role)
    with Writer(running) as writer:
        acting = {"actionId": action, "targets": {key: "t"}}
        ended = run.ended(run.start({"a": acting}, {"t": {**target, "selectionMode": "ALL"}}), timeout_s=30)
        assert ended["state"]["status"] == "completed", ended["state"]
        done = len(writer.acknowledged)
        wait_until(lambda: len(writer.acknowledged) > done + 20, what="commits afterwards", timeout_s=10)
    assert writer.sessions == 2
    assert writer.longest_s > 0.05
    kept = {row[0] for row in running.sql(host, "SELECT id FROM fis_writes")}
    assert set(writer.acknowledged) <= kept
    running.await_ready()
    instances = client(running.layout, "rds", EAST).describe_db_instances()["DBInstances"]
    assert {i["DBInstanceStatus"] for i in instances} == {"available"}


@pytest.mark.nightly
def test_the_reboot_of_a_reader_leaves_the_writer(running: Running, role: str) -> None:
    """No session of the writer ends when another instance of the cluster is rebooted."""
    rds = client(running.layout, "rds", EAST)
    members = rds.describe_db_clusters()["DBClusters"][0]["DBClusterMembers"]
    (reader,) = [m["DBInstanceIdentifier"] for m in members if not m["IsClusterWriter"]]
    run = experiments(running, role)
    with Writer(running) as writer:
        target = {"resourceType": "aws:rds:db", "resourceTags": {"break": reader}, "selectionMode": "ALL"}
        rebooting = {"actionId": "aws:rds:reboot-db-instances", "targets": {"DBInstances": "t"}}
        assert run.ended(run.start({"a": rebooting}, {"t": target}))["state"]["status"] == "completed"
    assert writer.sessions == 1


def test_a_cluster_of_one_instance_cannot_fail_over(running: Running, role: str) -> None:
    """RDS refuses it, so the action fails with RDS's reason and the experiment with it."""
    rds = client(running.layout, "rds", WEST)
    rds.create_db_instance(
        DBInstanceIdentifier="west-1",
        DBInstanceClass="db.r6g.large",
        Engine="aurora-postgresql",
        DBClusterIdentifier="west",
    )
    arn = rds.describe_db_clusters()["DBClusters"][0]["DBClusterArn"]
    run = experiments(running, role, WEST)
    target = {"resourceType": "aws:rds:cluster", "resourceArns": [arn], "selectionMode": "ALL"}
    failing = {"actionId": "aws:rds:failover-db-cluster", "targets": {"Clusters": "t"}}
    ended = run.ended(run.start({"a": failing}, {"t": target}))
    assert ended["state"]["status"] == "failed"
    assert "InvalidDBClusterStateFault" in ended["actions"]["a"]["state"]["reason"]


CALLER = """
import boto3, time
from botocore.config import Config

def handler(event, context):
    once = Config(connect_timeout=0.5, read_timeout=0.5, retries={"max_attempts": 0})
    if event.get("aws") == "s3":
        return len(boto3.client("s3", config=once).list_buckets()["Buckets"])
    if event.get("aws") == "secretsmanager":
        return len(boto3.client("secretsmanager", config=once).list_secrets()["SecretList"])
    return {"statusCode": 200, "body": "as ever"}
"""
EXTENSION = {
    "AWS_LAMBDA_EXEC_WRAPPER": "/opt/aws-fis/bootstrap",
    "AWS_FIS_CONFIGURATION_LOCATION": "arn:aws:s3:::fis-lambda/FisConfigs/",
    "AWS_FIS_SLOW_POLL_INTERVAL_SECONDS": "20",
}
LAYER = "arn:aws:lambda:us-east-1:211125607513:layer:aws-fis-extension-x86_64:9"


@pytest.fixture(scope="module")
def functions(running: Running) -> Running:
    """Two functions in a VPC with a way to the internet: `extended` has FIS's extension, `plain` all of it but the layer."""
    ec2 = client(running.layout, "ec2", EAST)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    ec2.create_tags(Resources=[subnet], Tags=[{"Key": "break", "Value": "me"}])
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    ec2.create_route(RouteTableId=tables[0]["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    group = ec2.create_security_group(VpcId=vpc, GroupName="functions", Description="functions")["GroupId"]
    door = ec2.create_security_group(VpcId=vpc, GroupName="endpoint", Description="endpoint")["GroupId"]
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": group}]}
    ec2.authorize_security_group_ingress(GroupId=door, IpPermissions=[https])
    ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=f"com.amazonaws.{EAST}.secretsmanager", VpcEndpointType="Interface", SubnetIds=[subnet],
        SecurityGroupIds=[door], PrivateDnsEnabled=True,
        TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "break", "Value": "me"}]}],
    )  # fmt: skip
    client(running.layout, "s3", EAST).create_bucket(Bucket="fis-lambda")
    client(running.layout, "iam", EAST).create_role(
        RoleName=ROLE, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []})
    )
    client(running.layout, "iam", EAST).put_role_policy(
        RoleName=ROLE, PolicyName="all", PolicyDocument=json.dumps(EVERYTHING)
    )
    for name, layers in (("extended", [LAYER]), ("plain", [])):
        deploy(
            lambda service, region: client(running.layout, service, region), name, CALLER,
            VpcConfig={"SubnetIds": [subnet], "SecurityGroupIds": [group]},
            Environment={"Variables": EXTENSION}, Layers=layers, Tags={"break": "me"}, Timeout=2,
        )  # fmt: skip
        wait_until(lambda name=name: invoke(running, name) == OK, what=name, timeout_s=10)  # type: ignore[misc]
    return running


OK = {"statusCode": 200, "body": "as ever"}


def invoke(running: Running, name: str, **event: Any) -> Any:
    """What a function answers; its error, where it fails; None where there is no such function yet."""
    lambdas = client(running.layout, "lambda", EAST)
    try:
        said = lambdas.invoke(FunctionName=name, Payload=json.dumps(event).encode())
    except lambdas.exceptions.ResourceNotFoundException:
        return None
    return json.loads(said["Payload"].read())


SERVICES = ("s3", "secretsmanager")


def reached(running: Running) -> set[str]:
    """Which of AWS's services a function reaches from its subnet."""
    return {service for service in SERVICES if isinstance(invoke(running, "plain", aws=service), int)}


def cut(scope: str) -> dict[str, Any]:
    """aws:network:disrupt-connectivity of the target `t`."""
    parameters = {"duration": "PT12H", "scope": scope}
    return {
        "actionId": "aws:network:disrupt-connectivity", "parameters": parameters, "targets": {"Subnets": "t"}
    }  # fmt: skip


CLOSE = {
    "actionId": "aws:network:disrupt-vpc-endpoint",
    "parameters": {"duration": "PT12H"},
    "targets": {"VPCEndpoints": "t"},
}


@pytest.mark.parametrize(
    ("acting", "kind", "left"),
    [
        (cut("all"), "aws:ec2:subnet", set()),
        pytest.param(cut("vpc"), "aws:ec2:subnet", set(), marks=pytest.mark.nightly),
        (cut("s3"), "aws:ec2:subnet", {"secretsmanager"}),
        pytest.param(cut("dynamodb"), "aws:ec2:subnet", {"s3", "secretsmanager"}, marks=pytest.mark.nightly),
        (CLOSE, "aws:ec2:vpc-endpoint", {"s3"}),
    ],
)
def test_functions_are_cut_off_and_connected_again(
    functions: Running, role: str, acting: Mapping[str, Any], kind: str, left: set[str]
) -> None:
    """They reach what the action leaves them and no more, and all again once the experiment was stopped."""
    run = experiments(functions, role)
    ec2 = client(functions.layout, "ec2", EAST)

    def made() -> tuple[int, int]:
        groups = ec2.describe_security_groups()["SecurityGroups"]
        return len(ec2.describe_network_acls()["NetworkAcls"]), len(groups)

    before = made()
    wait_until(lambda: reached(functions) == set(SERVICES), what="both services", timeout_s=10)
    target = {"resourceType": kind, "resourceTags": {"break": "me"}, "selectionMode": "ALL"}
    started = run.start({"a": acting}, {"t": target})
    wait_until(lambda: made() != before and reached(functions) == left, what=f"only {left}", timeout_s=10)
    run.fis.stop_experiment(id=started)
    assert run.ended(started)["state"]["status"] == "stopped"
    wait_until(lambda: reached(functions) == set(SERVICES), what="the way back", timeout_s=10)
    assert made() == before


@pytest.mark.parametrize(
    ("action", "parameters", "is_hit"),
    [
        (
            "invocation-add-delay",
            {"startupDelayMilliseconds": "700"},
            lambda said, took_s: said == OK and 0.7 <= took_s < 1.5,
        ),
        pytest.param(
            "invocation-add-delay",
            {"startupDelayMilliseconds": "9000"},
            lambda said, took_s: "Task timed out after 2.00 seconds" in said.get("errorMessage", ""),
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            "invocation-error",
            {"preventExecution": "true"},
            lambda said, took_s: "AWS FIS injected an error" in said.get("errorMessage", ""),
            marks=pytest.mark.nightly,
        ),
        (
            "invocation-error",
            {"preventExecution": "false"},
            lambda said, took_s: "AWS FIS injected an error" in said.get("errorMessage", ""),
        ),
        (
            "invocation-http-integration-response",
            {"preventExecution": "true", "statusCode": "503", "contentTypeHeader": "text/plain"},
            lambda said, took_s: said == {"statusCode": 503, "headers": {"content-type": "text/plain"}, "body": ""},
        ),
    ],
)
def test_invocations_are_hit_through_the_extension(
    functions: Running, role: str, action: str, parameters: Mapping[str, str], is_hit: Any
) -> None:
    """While it runs, invocations of the function with the extension are hit, those without the layer never; then none is."""
    run = experiments(functions, role)
    acting = {
        "actionId": f"aws:lambda:{action}",
        "parameters": {"duration": "PT12H", **parameters},
        "targets": {"Functions": "t"},
    }
    target = {"resourceType": "aws:lambda:function", "resourceTags": {"break": "me"}, "selectionMode": "ALL"}

    def hit(name: str) -> bool:
        began = time.monotonic()
        said = invoke(functions, name)
        return bool(is_hit(said, time.monotonic() - began))

    started = run.start({"a": acting}, {"t": target})
    wait_until(lambda: hit("extended"), what="the fault", timeout_s=10)
    assert hit("extended")
    assert not hit("plain")
    assert invoke(functions, "plain") == OK
    run.fis.stop_experiment(id=started)
    assert run.ended(started)["state"]["status"] == "stopped"
    wait_until(lambda: invoke(functions, "extended") == OK and not hit("extended"), what="its end", timeout_s=10)
    assert client(functions.layout, "s3", EAST).list_objects_v2(Bucket="fis-lambda")["KeyCount"] == 0


def test_a_function_without_a_location_fails_the_action(functions: Running, role: str) -> None:
    """FIS cannot tell it anything, and says so."""
    arn = deploy(lambda service, region: client(functions.layout, service, region), "bare", CALLER)
    run = experiments(functions, role)
    acting = {
        "actionId": "aws:lambda:invocation-error",
        "parameters": {"duration": "PT1M", "preventExecution": "true"},
        "targets": {"Functions": "t"},
    }
    target = {"resourceType": "aws:lambda:function", "resourceArns": [arn], "selectionMode": "ALL"}
    ended = run.ended(run.start({"a": acting}, {"t": target}))
    assert ended["state"]["status"] == "failed"
    assert "AWS_FIS_CONFIGURATION_LOCATION" in ended["actions"]["a"]["state"]["reason"]
