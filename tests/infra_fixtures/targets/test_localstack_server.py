"""LocalStack itself, started as the target starts it; skipped where its environment has not been made (docs/targets.md)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from drill.wait import wait_until
from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.run_layout import RunLayout
from infra_fixtures.targets.clients import Clients
from infra_fixtures.targets.localstack.endpoints import of_own_sessions
from infra_fixtures.targets.localstack.installation import ENVIRONMENT
from infra_fixtures.targets.localstack.options import Settings
from infra_fixtures.targets.localstack.orphan import ACCOUNT
from infra_fixtures.targets.localstack.servers import emulators
from infra_fixtures.targets.localstack.service_routing import moto_services
from infra_fixtures.targets.own_processes import failure
from tests.infra_fixtures.conftest import planned_layout, run_control_plane
from tests.infra_fixtures.control_plane.fis.conftest import Experiments, role_for
from tests.infra_fixtures.safety.lock_race import racing

PYTHON = ENVIRONMENT / "bin" / "python"
ANYBODY = AccessKey("test", "test")
"""LocalStack asks nobody who they are."""
RESOLVER = Path("/etc/resolv.conf")

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason=f"{ENVIRONMENT.name} has not been made")


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    """Clients of a control plane with one LocalStack for all; the machine's resolver file is compared around its life."""
    before = (RESOLVER.read_bytes(), RESOLVER.stat().st_mtime_ns)
    with planned_layout() as plan:
        own = msgspec.structs.replace(plan, account_id=ACCOUNT, moto_services=moto_services(named=False))
        shared = emulators(own, Settings(shared=True, urls={}, python=None), PYTHON)
        whole = msgspec.structs.replace(own, emulators=shared)
        with (
            contextlib.contextmanager(run_control_plane)(whole),
            contextlib.closing(Clients(whole, of_own_sessions)) as made,
        ):
            made.client("sts", "us-east-1").get_caller_identity()  # answered once LocalStack serves
            yield made
    assert (RESOLVER.read_bytes(), RESOLVER.stat().st_mtime_ns) == before


@pytest.fixture
def layout(clients: Clients) -> RunLayout:
    """Where it stands."""
    return clients.layout


def _process(layout: RunLayout) -> psutil.Process:
    port = int(layout.emulators[0].url.rpartition(":")[2])
    found = [c.pid for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr[1:] == (port,)]
    assert len(found) == 1
    return psutil.Process(found[0])


def test_it_listens_on_loopback_alone(layout: RunLayout) -> None:
    """Every socket that LocalStack listens on is bound to 127.0.0.1, which it is told as an IPv6 address."""
    sockets = [c for c in _process(layout).net_connections("inet") if c.status == "LISTEN"]
    assert {c.laddr[0] for c in sockets} == {"::ffff:127.0.0.1"}


def test_the_resolver_configuration_is_not_touched(layout: RunLayout) -> None:
    """LocalStack runs with its guard set and has no name server of its own; the file is compared again at the end."""
    environment = _process(layout).environ()
    assert environment["OVERRIDE_IN_DOCKER"] == "0"
    assert environment["DNS_ADDRESS"] == "0"
    assert not any(b"LocalStack" in line for line in RESOLVER.read_bytes().splitlines())


def test_moto_and_localstack_hold_one_account(clients: Clients) -> None:
    """A key of LocalStack's KMS is taken by moto's RDS, which asks for it, and an unknown one is refused."""
    kms, rds = clients.client("kms", "us-east-1"), clients.client("rds", "us-east-1")
    key = kms.create_key()["KeyMetadata"]
    assert key["Arn"].split(":")[4] == ACCOUNT == clients.client("sts", "us-east-1").get_caller_identity()["Account"]
    wanted = {
        "Engine": "aurora-postgresql",
        "MasterUsername": "drill",
        "MasterUserPassword": "not-a-secret-1",
        "StorageEncrypted": True,
    }
    made = rds.create_db_cluster(DBClusterIdentifier="orders", KmsKeyId=key["Arn"], **wanted)["DBCluster"]
    assert made["KmsKeyId"] == key["Arn"]
    with pytest.raises(rds.exceptions.KMSKeyNotAccessibleFault):
        rds.create_db_cluster(DBClusterIdentifier="other", KmsKeyId=key["Arn"][:-4] + "0000", **wanted)


def test_an_experiment_of_fis_acts_on_its_network_and_takes_its_documents(clients: Clients) -> None:
    """A subnet that LocalStack holds gets a clone of its ACL and its own again; a document that it holds is executed."""
    iam, ec2, ssm = (clients.client(service, "us-east-1") for service in ("iam", "ec2", "ssm"))
    services = ["fis.amazonaws.com", "ssm.amazonaws.com"]
    trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    role = role_for(iam, "fis", {"Version": "2012-10-17", "Statement": [trust]})
    run = Experiments(clients.client("fis", "us-east-1"), role)
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    ec2.create_tags(Resources=[subnet], Tags=[{"Key": "break", "Value": "me"}])

    def acls() -> dict[str, list[str]]:
        found = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"]
        return {a["NetworkAclId"]: [s["SubnetId"] for s in a["Associations"]] for a in found}

    before = acls()
    for scope in ("all", "s3"):
        cut = {
            "actionId": "aws:network:disrupt-connectivity",
            "parameters": {"duration": "PT12H", "scope": scope},
            "targets": {"Subnets": "t"},
        }
        target = {"resourceType": "aws:ec2:subnet", "resourceTags": {"break": "me"}, "selectionMode": "ALL"}
        started = run.start({"cut": cut}, {"t": target})
        wait_until(lambda: any(s and a not in before for a, s in acls().items()), what="the clone", timeout_s=20)
        run.fis.stop_experiment(id=started)
        assert run.ended(started)["state"]["status"] == "stopped"
        assert acls() == before
    content = {
        "schemaVersion": "0.3",
        "assumeRole": role,
        "mainSteps": [
            {
                "name": "tag",
                "action": "aws:executeAwsApi",
                "inputs": {
                    "Service": "ec2", "Api": "CreateTags", "Resources": [subnet], "Tags": [{"Key": "by", "Value": "fis"}]
                },
            }
        ],
    }  # fmt: skip
    ssm.create_document(Name="tag", DocumentType="Automation", DocumentFormat="JSON", Content=json.dumps(content))
    automate = {
        "actionId": "aws:ssm:start-automation-execution",
        "parameters": {"documentArn": f"arn:aws:ssm:us-east-1:{ACCOUNT}:document/tag", "maxDuration": "PT1M"},
    }
    ended = run.ended(run.start({"automate": automate}))
    assert ended["state"]["status"] == "completed", ended["state"]
    tags = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["Tags"]
    assert {"Key": "by", "Value": "fis"} in tags


def test_objects_lie_in_the_run_s_own_directory(layout: RunLayout, clients: Clients) -> None:
    """An object too large to be held in memory is in a file below the run's directory, and none is in a shared one."""
    s3 = clients.client("s3", "us-east-1")
    s3.create_bucket(Bucket="own-directory")
    s3.put_object(Bucket="own-directory", Key="large", Body=b"x" * 2_000_000)
    held = [f.path for f in _process(layout).open_files() if "own-directory" in f.path]
    kept = [Path(path) for path in held] or list(Path(layout.work_dir).glob("**/own-directory"))
    assert kept
    assert all(path.is_relative_to(layout.work_dir) for path in kept)
    s3.delete_object(Bucket="own-directory", Key="large")
    s3.delete_bucket(Bucket="own-directory")


def test_its_lock_is_held_by_one_of_several_that_race(layout: RunLayout) -> None:
    """LocalStack writes on condition as S3 does: of processes that take a target's lock at once exactly one holds it."""
    with racing(layout.emulators[0].url, ACCOUNT, "localstack", racers=3, lease_s=60, key=ANYBODY) as heard:
        assert heard.count("held") == 1, heard


def test_a_kill_nobody_planned_is_named(layout: RunLayout) -> None:
    """Last, for it ends LocalStack: after kill -9 the failure names it, with its process and the status."""
    process = _process(layout)
    assert failure(layout) is None
    os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: failure(layout), what="the death to be told", timeout_s=5)
    assert str(failure(layout)).startswith(f"LocalStack (process {process.pid}) ended unasked with status -9")
