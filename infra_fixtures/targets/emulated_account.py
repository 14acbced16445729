"""An empty AWS account on this machine: the embedded AWS API and data plane without anything provisioned in them.

Whoever uses it does so as they would AWS: by endpoints, an access key of the ordinary chain, and a name server. It is what
the target `aws` is tried against, and everything that only AWS has otherwise.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from drill.host_environment import child_environment
from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.data_plane.aurora.binaries import locate
from infra_fixtures.global_services import GLOBAL, GLOBAL_SERVICES
from infra_fixtures.run_layout import EDGE_PORT, REPOSITORY, RunLayout
from infra_fixtures.safety.lease import lease, require_free
from infra_fixtures.targets.clients import CONFIG
from infra_fixtures.targets.own_processes import Started, await_control_plane, require_alive, start, stop

REGIONS = ("us-east-1", "us-west-2")


GAMEDAY = """\
accounts = ["{account}"]
regions = ["us-east-1", "us-west-2", "global"]
approvers = ["whoever runs this emulator"]
ticket = "emulated"
requests_per_second = 500.0
no_alarm_because = "nobody depends on an emulator"

[tag]
key = "dr-drill"
value = "may-break"

[blast_radius]
faults = ["nothing", "lambda_throttled", "planned_switchover", "security_group_revoked", "subnets_isolated", "replication_cut"]
services = ["lambda", "rds", "ec2", "s3", "route53", "iam"]
resources = 20

[[weekly_window]]
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
opens = 00:00:00
closes = 00:00:00
zone = "UTC"
"""


@dataclass(frozen=True, slots=True)
class EmulatedAccount:
    """A running one; `processes` are those that it consists of."""

    layout: RunLayout
    processes: tuple[Started, ...]
    _session: Any = field(default_factory=boto3.session.Session, repr=False)

    @property
    def account_id(self) -> str:
        """Its twelve digits."""
        return self.layout.account_id

    @property
    def access_key(self) -> AccessKey:
        """Of its one user, who may do everything."""
        return self.layout.credentials.user

    @property
    def endpoints(self) -> dict[str, str]:
        """The URL of the AWS API by region; `global` is that of services without one (IAM, Route 53, CloudFront)."""
        return {GLOBAL: self.layout.global_aws.url, **{r.name: r.aws.url for r in self.layout.regions}}

    @property
    def name_server(self) -> str:
        """HOST:PORT of the server that answers for every hosted zone of the account and for AWS's own names."""
        return str(self.layout.dns)

    @property
    def edge_port(self) -> int:
        """The port (plain HTTP) on which regional API endpoints answer, at the addresses that the name server gives."""
        return EDGE_PORT

    @property
    def credentials_file(self) -> Path:
        """A shared credentials file with the access key, which its user alone can read; it goes with the account."""
        return Path(self.layout.work_dir) / "credentials"

    @property
    def credentials(self) -> dict[str, str]:
        """Environment variables by which boto3 and the AWS CLI find the access key, and nobody else's."""
        return {
            "AWS_SHARED_CREDENTIALS_FILE": str(self.credentials_file),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def arguments(self) -> list[str]:
        """The options by which `--target aws` uses this account."""
        endpoints = [word for where, url in self.endpoints.items() for word in ("--aws-endpoint", f"{where}={url}")]
        agreed = ["--gameday", str(self.gameday_file), "--yes", self.account_id]
        return ["--target", "aws", *endpoints, "--aws-name-server", self.name_server, *agreed]

    @property
    def gameday_file(self) -> Path:
        """A game day file that allows everything that a drill does in this account, and nothing elsewhere."""
        return Path(self.layout.work_dir) / "gameday.toml"

    def environment(self, base: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The environment for a process that uses the account: what Python needs, and the credentials."""
        return child_environment(base, PYTHONPATH=str(REPOSITORY), **self.credentials)

    def client(self, service: str, region: str | None = None) -> Any:
        """A new boto3 client, past any guard: for looking at the account, and for what its owner does in it."""
        everywhere = region is None or service in GLOBAL_SERVICES
        return self._session.client(
            service,
            region_name=REGIONS[0] if region is None else region,
            endpoint_url=self.endpoints[GLOBAL if everywhere else str(region)],
            aws_access_key_id=self.access_key.id,
            aws_secret_access_key=self.access_key.secret,
            config=CONFIG,
        )

    def require_alive(self) -> None:
        """Raise UnusableInput where one of its processes has ended."""
        require_alive(self.processes)

    def describe(self) -> str:
        """What a person needs of it, lines to paste among it."""
        own = [f"{name}={value}" for name, value in self.credentials.items()]
        region = REGIONS[0]
        cli = ["aws", "--region", region, "--endpoint-url", self.endpoints[region], "sts", "get-caller-identity"]
        up = ["python", "-m", "infra_fixtures", "up", *self.arguments]
        return "\n".join(
            [
                f"an empty account {self.account_id} at pace {self.layout.pace:g}",
                *(f"  AWS API of {where:<10} {url}" for where, url in self.endpoints.items()),
                f"  name server          {self.name_server}",
                "",
                "# ask it",
                shlex.join(["env", *own, "NO_PROXY=*", *cli]),
                "# stand the topology up in it",
                shlex.join(["env", *own, *up]),
            ]
        )


@contextlib.contextmanager
def emulated_account(*, pace: float = 10.0) -> Iterator[EmulatedAccount]:
    """An account of its own for as long as this lasts; it dies with this process.

    `pace` is how many times faster than AWS's its timers run. Raises UnusableInput where the machine cannot carry it.
    """
    name = f"account-{secrets.token_hex(4)}"
    with lease(name) as leased:
        pg_bin, pg_uid = locate(leased.work_dir, leased.worker_uid)
        layout = RunLayout.plan(
            run_id=name,
            work_dir=leased.work_dir,
            pace=pace,
            network=leased.network,
            regions=REGIONS,
            pg_bin=str(pg_bin),
            pg_uid=pg_uid,
            worker_uid=leased.worker_uid,
        )
        require_free(layout.addresses)
        layout.save()
        processes: list[Started] = []
        try:
            processes.append(start(layout, "control plane", "infra_fixtures.control_plane"))
            processes.append(start(layout, "global process", "infra_fixtures.data_plane"))
            account = EmulatedAccount(layout, tuple(processes))
            _keep(account.access_key, account.credentials_file)
            account.gameday_file.write_text(GAMEDAY.format(account=account.account_id))
            await_control_plane(layout, processes)
            yield account
        finally:
            stop(processes)


def _keep(key: AccessKey, path: Path) -> None:
    path.touch(mode=0o600)
    path.write_text(f"[default]\naws_access_key_id = {key.id}\naws_secret_access_key = {key.secret}\n")
