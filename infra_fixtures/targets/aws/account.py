"""The account as a run of the harness uses it: its credentials by duty, its guard, its ledger, its system."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import threading
from typing import Any

from botocore.exceptions import ClientError

from infra_fixtures.provision.naming import RUN_TAG
from infra_fixtures.safety.aws_operations import changes
from infra_fixtures.safety.call_log import CallLog
from infra_fixtures.safety.guard import Guard
from infra_fixtures.safety.journal import Header
from infra_fixtures.targets.aws.ledger import Ledger
from infra_fixtures.targets.aws.options import REGIONS, Settings
from infra_fixtures.targets.aws.sessions import CHANGING, DRILLING, Duty, duty
from infra_fixtures.targets.aws.system import System, system_of


class Owned:
    """What the run made itself or is about to make: it bears the run's name, or stands in its ledger, or is the record of its
    name in a zone that was there already, or the network ACL that AWS gives to a VPC of its own."""

    def __init__(self, system: System, ledger: Ledger) -> None:
        self._prefix = system.names.prefix
        self._log_groups = f"/aws/lambda/{self._prefix}"
        self._check = f"{system.names.run_id}/"
        self._domain = system.topology.api_name
        self._zone = system.settings.zone_id
        self._ledger = ledger
        self._run_id = system.names.run_id
        self._asking = functools.cache(
            lambda: duty(system.settings, "observer", system.names.run_id, lambda client: None)
        )

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        own = name.startswith(
            (self._prefix, self._log_groups, self._check, f"alias/{self._prefix}", f"function:{self._prefix}")
        )
        arn = name.startswith("arn:") and self._prefix in f"{name}-"
        named = own or arn or name in (self._domain, self._zone) or name in self._ledger
        return named or (name.startswith("acl-") and self._came_with_a_vpc(name))

    def _came_with_a_vpc(self, acl: str) -> bool:
        """Whether it is the default ACL of a VPC that carries the run's tag: it has no tag, and goes with its VPC."""
        for region in REGIONS:
            ec2 = self._asking().client("ec2", region)
            with contextlib.suppress(ClientError):  # it is of the other region
                for found in ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"]:
                    vpc = ec2.describe_vpcs(VpcIds=[found["VpcId"]])["Vpcs"][0]
                    tags = {t["Key"]: t["Value"] for t in vpc.get("Tags", ())}
                    return bool(found["IsDefault"]) and tags.get(RUN_TAG) == self._run_id
        return False


class Divided:
    """One client that is two: what reads goes by the observer's credentials, what changes by the breaker's."""

    def __init__(self, observer: Any, breaker: Any) -> None:
        self._observer = observer
        self._breaker = breaker

    @property
    def meta(self) -> Any:
        """The observer's: both are of one service, region and endpoint."""
        return self._observer.meta

    def __getattr__(self, name: str) -> Any:
        operation = self._observer.meta.method_to_api_mapping.get(name)
        if operation is not None and changes(self._observer.meta.service_model.operation_model(operation)):
            return getattr(self._breaker, name)
        return getattr(self._observer, name)


class Account:
    """Clients of each duty, made when they are asked for; `close` closes them."""

    def __init__(
        self, run: Header, settings: Settings, system: System, guard: Guard, log: CallLog, ledger: Ledger
    ) -> None:
        self.run = run
        self.settings = settings
        self.system = system
        self.guard = guard
        self.ledger = ledger
        self._log = log
        self._duties: dict[str, Duty] = {}
        self._divided: dict[tuple[str, str | None], Any] = {}
        self._making = threading.RLock()

    @property
    def provisioner(self) -> Duty:
        """For making and removing."""
        return self._duty("provisioner")

    def client(self, service: str, region: str | None = None) -> Any:
        """For drilling: the observer's and the breaker's."""
        key = (service, region)
        with self._making:
            if key not in self._divided:
                observer = self._duty("observer").client(service, region)
                if self.settings.roles.get("observer") == self.settings.roles.get("breaker"):
                    self._divided[key] = observer
                else:
                    self._divided[key] = Divided(observer, self._duty("breaker").client(service, region))
            return self._divided[key]

    def reader(self, service: str, region: str | None = None) -> Any:
        """For the invocations that only read: no fault, so no guard judges them."""
        with self._making:
            if "reader" not in self._duties:
                self._duties["reader"] = duty(self.settings, "observer", self.run.run_id, self._log.watch)
            return self._duties["reader"].client(service, region)

    def own(self, service: str, region: str) -> Any:
        """By the credentials themselves, which hold the account's lock."""
        with self._making:
            if "own" not in self._duties:
                self._duties["own"] = duty(self.settings, "own", self.run.run_id, self._log.watch)
            return self._duties["own"].client(service, region)

    @property
    def ends(self) -> dt.datetime | None:
        """When the first session of a role that is in use ends; None where none does."""
        return min((each.ends for each in self._duties.values() if each.ends is not None), default=None)

    def close(self) -> None:
        """Close every connection."""
        for each in self._duties.values():
            each.close()
        self._duties.clear()
        self._divided.clear()

    def _duty(self, name: str) -> Duty:
        with self._making:
            if name not in self._duties:
                config = CHANGING if name == "provisioner" else DRILLING
                self._duties[name] = duty(self.settings, name, self.run.run_id, self._protect, config)
            return self._duties[name]

    def _protect(self, client: Any) -> None:
        self.guard.protect(client)
        self.ledger.watch(client)
        self._log.watch(client)


def look(run: Header, settings: Settings) -> tuple[System, Ledger]:
    """The run's system, by what its zone is called, and its ledger; nothing is made. Raises UnusableInput."""
    asking = duty(settings, "observer", run.run_id, lambda client: None)
    try:
        system = system_of(run, settings, asking.client("route53", None) if settings.zone_id else None)
    finally:
        asking.close()
    return system, Ledger(system.ledger)
