"""What a run left in a LocalStack that outlives it: its faults are undone there by API calls, and its resources removed.

What moto answered, or a LocalStack of the run's own, is gone with the run's processes.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

from infra_fixtures.global_services import GLOBAL, GLOBAL_SERVICES
from infra_fixtures.provision import tear_down
from infra_fixtures.provision.naming import Names
from infra_fixtures.safety.guard import Guard
from infra_fixtures.safety.journal import Header
from infra_fixtures.safety.lock_place import LockPlace
from infra_fixtures.safety.scope import Scope
from infra_fixtures.safety.target_lock import lock_of_dead_run
from infra_fixtures.targets.clients import CONFIG
from infra_fixtures.targets.local_orphan import LocalOrphan
from infra_fixtures.targets.localstack.options import EVERYWHERE, Settings
from infra_fixtures.targets.localstack.servers import offered
from infra_fixtures.targets.localstack.service_routing import moto_services
from infra_fixtures.topology import Topology

ACCOUNT = "000000000000"
"""The account of whoever does not call with twelve digits as access key: LocalStack's own default."""
LET_IT_ANSWER = (
    "let it answer and heal again; if it is gone for good, with all that it held, remove the run's directory"
)


def answered_by_moto(settings: Settings, mend: str) -> frozenset[str]:
    """The services that a run's own moto answers; raises UnusableInput, with what mends it, where a LocalStack does not say
    what it has."""
    has = frozenset.intersection(*(offered(url, mend) for url in settings.urls.values())) if settings.urls else ()
    return moto_services(has, named=not settings.shared and not settings.urls)


def namesake(run_id: str, standby: str) -> str:
    """The bucket in the primary's LocalStack that is called as the standby's own."""
    return Names(run_id).bucket(standby, ACCOUNT)


def lock_place(topology: Topology, urls: Mapping[str, str]) -> LockPlace:
    """Where the lock of a given LocalStack is: in itself, past the run's front, which a lost region takes away."""
    standby = topology.region_names[1]
    url = urls.get(standby) or urls[EVERYWHERE]
    return LockPlace(_client(url, "s3", standby), ACCOUNT, "localstack")


class LocalStackOrphan(LocalOrphan):
    """What a run left that was given every LocalStack that it used."""

    def __init__(self, run: Header, topology: Topology, settings: Settings) -> None:
        super().__init__(run)
        self._topology = topology
        self._settings = settings
        self._urls = settings.urls
        self._made: dict[tuple[str, str, str], Any] = {}
        self._making = threading.Lock()  # making clients is not thread-safe in boto3
        allowed = Scope(frozenset({ACCOUNT}), frozenset({GLOBAL, *topology.region_names}), confirmed=True)
        self._guard = Guard(allowed, self.client, account=ACCOUNT)

    def healing(self) -> contextlib.AbstractContextManager[None]:
        """What is done in here is undone: the guard lets it through."""
        return self._guard.healing()

    def client(self, service: str, region: str | None = None) -> Any:
        """A client at the LocalStack that answers the service; None where it was the run's own moto."""
        if service in self._moto:
            return None
        everywhere = region is None or service in GLOBAL_SERVICES
        where = GLOBAL if everywhere else str(region)
        url = self._urls.get(where) or self._urls[EVERYWHERE]
        place = (url, service, self._topology.primary.name if everywhere else str(region))
        if place not in self._made:
            with self._making:
                if place not in self._made:
                    made = _client(*place)
                    self._guard.protect(made)
                    self._made[place] = made
        return self._made[place]

    @contextlib.contextmanager
    def taken_over(self) -> Iterator[None]:
        """Hold the LocalStack's lock in the dead run's place; raises UnusableInput where it does not answer."""
        _ = self._moto
        with lock_of_dead_run(lock_place(self._topology, self._urls), self._run.run_id):
            yield

    def remove(self) -> None:
        """Remove the run's resources, then its files."""
        tear_down(self, self._topology, self._run.run_id, gone=self._moto)
        primary, standby = self._topology.region_names
        if EVERYWHERE not in self._urls:
            try:
                self.client("s3", primary).delete_bucket(Bucket=namesake(self._run.run_id, standby))
            except ClientError as e:
                if e.response["Error"]["Code"] != "NoSuchBucket":
                    raise
        super().remove()
        for client in self._made.values():
            client.close()

    @functools.cached_property
    def _moto(self) -> frozenset[str]:
        """Asked for only when AWS calls are to be made: what is on this machine is ended even where nobody answers."""
        return answered_by_moto(self._settings, LET_IT_ANSWER)


def _client(url: str, service: str, region: str) -> Any:
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=url,
        aws_access_key_id="localstack",
        aws_secret_access_key="localstack",
        config=CONFIG,
    )
