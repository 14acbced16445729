"""What any process does for a run on AWS that is over: undo its faults by API calls, remove its system and look for the rest."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from drill.wait import WaitTimeout
from infra_fixtures.provision import dns, tear_down
from infra_fixtures.provision.boto_errors import retry_while
from infra_fixtures.safety.journal import Header
from infra_fixtures.safety.sweep import sweep
from infra_fixtures.safety.target_lock import LockPlace, lock_of_dead_run
from infra_fixtures.targets.aws.account import Account, Owned, look
from infra_fixtures.targets.aws.kinds import BY_OPERATION
from infra_fixtures.targets.aws.ledger import read
from infra_fixtures.targets.aws.leftovers import leftovers, rest_of
from infra_fixtures.targets.aws.options import REGIONS, Settings
from infra_fixtures.targets.aws.sessions import base_session
from infra_fixtures.targets.orphan import NotGone
from infra_fixtures.targets.parts import Cluster, DatabasePart, HealthChecksPart
from infra_fixtures.targets.permission import healing_guard
from infra_fixtures.targets.roles import return_to_primary

P = TypeVar("P")
log = logging.getLogger(__name__)

IN_USE = ("DependencyViolation", "Client.CannotDelete", "ResourceInUseException", "InvalidDBClusterStateFault")
IN_USE_S = 300.0
SETTLES_WITHIN_S = 300.0
"""How long AWS may still tell of what is gone."""
SETTLES_EMULATED_S = 5.0
SWITCHOVER_S = 1800.0
LOOK_EVERY_S = 5.0


class AwsOrphan:
    """The healer of a run, and what takes its system away where that does not stay."""

    def __init__(self, run: Header) -> None:
        self._run = run
        self._settings = Settings.read(run.options)
        self._found: Account | None = None

    @property
    def primary(self) -> str:
        """The region that serves in normal operation."""
        return REGIONS[0]

    def client(self, service: str, region: str | None = None) -> Any:
        """A client of the breaker's and the observer's roles, under the guard of a healer."""
        return self._account.client(service, region)

    def healing(self) -> AbstractContextManager[None]:
        """What is done in here is undone: the guard lets it through."""
        return self._account.guard.healing()

    def end_processes(self) -> int:
        """Of a dead run only the load generator runs here."""
        return sweep(self._run.run_id)

    @contextlib.contextmanager
    def taken_over(self) -> Any:
        """Hold the account's lock in the dead run's place; raises UnusableInput where AWS does not answer."""
        with lock_of_dead_run(self._lock_place(), self._run.run_id):
            yield

    def part(self, kind: type[P]) -> P | None:
        """The global database and the health checks, as they are found by their names; None of anything else."""
        names = self._account.system.names
        found: DatabasePart | HealthChecksPart | None = None
        if kind is DatabasePart:
            clusters = {}
            for region in REGIONS:
                rds = self.client("rds", region)
                told = rds.describe_db_clusters(DBClusterIdentifier=names.cluster(region))["DBClusters"][0]
                clusters[region] = Cluster(told["DBClusterIdentifier"], told["DBClusterArn"])
            found = DatabasePart(names.global_cluster, clusters)
        elif kind is HealthChecksPart:
            found = HealthChecksPart(dns.health_checks(self.client("route53"), names))
        return found if isinstance(found, kind) else None

    def return_to_primary(self) -> None:
        """Give the regions their roles back; a system that goes with the run has none to keep."""
        if self._account.system.stays:
            emulated = self._settings.emulator is not None
            return_to_primary(self, timeout_s=SWITCHOVER_S, look_every_s=0.1 if emulated else LOOK_EVERY_S)

    def remove(self) -> None:
        """Remove the system, unless it stays; raises NotGone."""
        try:
            if not self._account.system.stays:
                remove_system(self._account)
        finally:
            self._account.close()
            self._found = None

    def _lock_place(self) -> LockPlace:
        account = self._account
        s3 = account.own("s3", REGIONS[1])
        return LockPlace(s3, account_id(account), self._run.target)

    @property
    def _account(self) -> Account:
        """Found when it is needed: what runs on this machine is ended even where AWS does not answer."""
        if self._found is None:
            self._found = healing_account(self._run, self._settings)
        return self._found


def healing_account(run: Header, settings: Settings) -> Account:
    """The account for whoever heals or removes."""
    system, ledger = look(run, settings)
    guard, calls = healing_guard(run, base_session(settings), settings.endpoints, owned=Owned(system, ledger))
    return Account(run, settings, system, guard, calls, ledger)


def account_id(account: Account) -> str:
    """The twelve digits."""
    return str(account.own("sts", REGIONS[1]).get_caller_identity()["Account"])


def remove_system(account: Account, tell: Callable[[str], None] = lambda what: None) -> int:
    """Take the system away, by names and tags and then by the ledger, and prove that it is gone; how much was in the ledger.

    Raises NotGone, naming what is left; it may be called again.
    """
    system, provisioner = account.system, account.provisioner
    with account.guard.making():
        tell("removing by names and tags")
        tear_down(provisioner, system.topology, system.names.run_id, zone_id=system.settings.zone_id, certificates=True)
        tell("removing what the ledger still has, and looking for what is left")
        left = _settled(account, provisioner.client)
    if left:
        raise NotGone(f"{len(left)} things of {system.names.run_id} are still there: {'; '.join(left)}")
    return len(read(system.ledger))


def _remove_rest(account: Account, client: Callable[[str, str | None], Any]) -> None:
    for line, own in rest_of(client, read(account.system.ledger)):
        kind = BY_OPERATION[line.service, line.operation]
        try:
            retry_while(
                IN_USE,
                kind.remove,
                what=f"{line.name} to be out of use",
                timeout_s=IN_USE_S,
                client=own,
                name=line.name,
            )
        except (ClientError, WaitTimeout):
            log.exception("%s was not removed", line.name)  # what is left is told at the end


def _settled(account: Account, client: Callable[[str, str | None], Any]) -> list[str]:
    """What is left once AWS has had its time; what comes back meanwhile, such as a log group, is removed again."""
    system = account.system
    limit_s = SETTLES_WITHIN_S if system.settings.emulator is None else SETTLES_EMULATED_S
    until = time.monotonic() + limit_s
    while True:
        _remove_rest(account, client)
        left = leftovers(client, system.topology, system.names, read(system.ledger), system.settings.zone_id)
        if not left or time.monotonic() >= until:
            return left
        time.sleep(limit_s / 20)


def healing_environment(own: Mapping[str, str], home: str) -> dict[str, str]:
    """The variables by which boto3 finds credentials, and the way to AWS, for a process that is given nothing else."""
    network = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
    kept = {name: value for name, value in own.items() if name.startswith("AWS_") or name.upper() in network}
    return {
        "AWS_SHARED_CREDENTIALS_FILE": f"{home}/.aws/credentials",
        "AWS_CONFIG_FILE": f"{home}/.aws/config",
        "AWS_EC2_METADATA_DISABLED": "false",
        "HOME": home,
        **kept,
    }
