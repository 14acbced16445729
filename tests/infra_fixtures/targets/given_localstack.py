"""LocalStacks that somebody else runs, with things of theirs in them, and harnesses that stand a topology up there."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from drill.wait import wait_until
from infra_fixtures.processes.parent_death import die_with_parent
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.safety.journal import JOURNAL
from infra_fixtures.targets.localstack.installation import HOME
from infra_fixtures.targets.localstack.servers import HEALTH, LAUNCHER, environment
from tests.infra_fixtures.targets.aws_state import REGIONS, State, client, state

SERVICES = "s3,kms,ec2,apigateway,logs,sns,iam,sts"
UP_WITHIN_S = 120.0
STANDS_WITHIN_S = 150.0
HARNESS = """
import contextlib, sys
from pathlib import Path
from infra_fixtures.faults.fault import injected
from infra_fixtures.faults.security_group_revoked import SecurityGroupRevoked
from infra_fixtures.faults.subnets_isolated import SubnetsIsolated
from infra_fixtures.standing import standing
faults = {fault.name: fault for fault in (SecurityGroupRevoked(), SubnetsIsolated())}
options = {"localstack_endpoint": sys.argv[2:]}
with standing("localstack", pace=10.0, runs_dir=Path(sys.argv[1]), options=options) as world:
    with contextlib.ExitStack() as injections:
        print(world.run_id, flush=True)
        for line in sys.stdin:
            injections.enter_context(injected(world, faults[line.strip()]))
            print("injected", flush=True)
"""


@dataclass(frozen=True, slots=True)
class Given:
    """LocalStacks by where they are for: a region, global, or all."""

    urls: dict[str, str]
    processes: tuple[subprocess.Popen[bytes], ...]

    @property
    def endpoints(self) -> list[str]:
        """As --localstack-endpoint takes them."""
        return [f"{where}={url}" for where, url in self.urls.items()]

    def state(self) -> State:
        """All that they hold."""
        return {f"{at} {where}": what for at, url in self.urls.items() for where, what in state(url).items()}

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """They answer nobody for as long as this lasts."""
        for process in self.processes:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in self.processes:
                process.send_signal(signal.SIGCONT)


@contextmanager
def given(directory: Path, places: Sequence[str]) -> Iterator[Given]:
    """LocalStacks for these places, with things of others in each; killed at the end."""
    started: list[subprocess.Popen[bytes]] = []
    urls: dict[str, str] = {}
    try:
        for where in places:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = int(probe.getsockname()[1])
            home = directory / where
            with (directory / f"{where}.log").open("wb") as log:
                started.append(
                    subprocess.Popen(
                        [str(HOME / "bin" / "python"), "-P", str(LAUNCHER)],
                        env={**environment(home, port, "somebody-else"), "SERVICES": SERVICES},
                        cwd=home,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                        preexec_fn=die_with_parent,
                    )
                )
            urls[where] = f"http://127.0.0.1:{port}"
        for url in urls.values():
            wait_until(lambda url=url: _serves(url), what=f"LocalStack at {url}", timeout_s=UP_WITHIN_S)  # type: ignore[misc]
            _furnish(url)
        yield Given(urls, tuple(started))
    finally:
        for process in started:
            process.kill()
            process.wait()


def _serves(url: str) -> bool:
    try:
        with urllib.request.urlopen(url + HEALTH, timeout=2):
            return True
    except OSError:
        return False


def _furnish(url: str) -> None:
    """What somebody else has there, of each kind that a run makes too."""
    for region in REGIONS:
        ec2 = client(url, "ec2", region)
        vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        group = ec2.create_security_group(GroupName="theirs", Description="theirs", VpcId=vpc)["GroupId"]
        ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}],
        )
        ec2.create_vpc_endpoint(VpcId=vpc, ServiceName=f"com.amazonaws.{region}.s3", RouteTableIds=[table])
        s3, name = client(url, "s3", region), f"theirs-{region}"
        where = {} if region == REGIONS[0] else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=name, **where)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=name, Key="receipts/1", Body=b"theirs")
        deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteBucket", "Resource": f"arn:aws:s3:::{name}"}
        s3.put_bucket_policy(Bucket=name, Policy=_policy(deny))
        kms = client(url, "kms", region)
        kms.create_alias(AliasName="alias/theirs", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
        client(url, "sns", region).create_topic(Name="theirs")
        client(url, "logs", region).create_log_group(logGroupName="/theirs")
        client(url, "apigateway", region).create_rest_api(name="theirs")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam = client(url, "iam", REGIONS[0])
    iam.create_role(RoleName="theirs", AssumeRolePolicyDocument=_policy(trust))
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    iam.put_role_policy(RoleName="theirs", PolicyName="all", PolicyDocument=_policy(allow))


def _policy(statement: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True, slots=True)
class Harness:
    """A harness in a process of its own whose topology stands."""

    process: subprocess.Popen[str]
    runs_dir: Path
    run_id: str

    @property
    def journal(self) -> Path:
        """Its journal."""
        return self.runs_dir / self.run_id / JOURNAL

    def inject(self, fault: str) -> None:
        """Returns when it stands, on top of those before it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{fault}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "injected\n"

    def kill(self, *, with_watchdog: bool) -> None:
        """SIGKILL, at once for both."""
        children = psutil.Process(self.process.pid).children()
        watchdogs = [c.pid for c in children if "infra_fixtures.watchdog" in c.cmdline()]
        assert len(watchdogs) == 1
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in (self.process.pid, *(watchdogs if with_watchdog else ())):
                os.kill(pid, number)
        self.process.wait()

    def finish(self) -> None:
        """Let it heal and tear down itself."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(timeout=STANDS_WITHIN_S) == 0


@contextmanager
def harness(runs_dir: Path, there: Given) -> Iterator[Harness]:
    """A harness whose topology stands there; killed at the end if it still runs."""
    said = runs_dir.with_suffix(".said")
    command = [sys.executable, "-c", HARNESS, str(runs_dir), *there.endpoints]
    with (
        said.open("wb") as errors,
        subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            run_id = process.stdout.readline().strip()
            assert run_id, said.read_text()
            yield Harness(process, runs_dir, run_id)
        finally:
            process.kill()
