"""What a run left in a LocalStack that outlives it: its faults are undone there by API calls, and its resources removed.

What moto answered, or a LocalStack of the run's own, is gone with the run's processes.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError
from localstack_client.session import Session

from infra_fixtures.provision import tear_down
from infra_fixtures.provision.naming import Names
from infra_fixtures.safety.journal import Header
from infra_fixtures.targets.clients import CONFIG, GLOBAL_SERVICES
from infra_fixtures.targets.local_orphan import LocalOrphan
from infra_fixtures.targets.localstack.loopback import refuse_elsewhere
from infra_fixtures.targets.localstack.options import EVERYWHERE, GLOBALLY
from infra_fixtures.topology import Topology

ACCOUNT = "000000000000"
"""The account of whoever does not call with twelve digits as access key: LocalStack's own default."""


def namesake(run_id: str, standby: str) -> str:
    """The bucket in the primary's LocalStack that is called as the standby's own."""
    return Names(run_id).bucket(standby, ACCOUNT)


class LocalStackOrphan(LocalOrphan):
    """`urls` are those that the run was given, `moto` the services that its own moto answered."""

    def __init__(self, run: Header, topology: Topology, urls: Mapping[str, str], moto: frozenset[str]) -> None:
        super().__init__(run)
        self._topology = topology
        self._urls = urls
        self._moto = moto

    def client(self, service: str, region: str | None = None) -> Any:
        """A client at the LocalStack that answers the service; None where it was the run's own moto."""
        if service in self._moto:
            return None
        everywhere = region is None or service in GLOBAL_SERVICES
        where = GLOBALLY if everywhere else str(region)
        url = self._urls.get(where) or self._urls[EVERYWHERE]
        return _client(url, service, self._topology.primary.name if everywhere else str(region))

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


@functools.lru_cache(maxsize=64)
def _client(url: str, service: str, region: str) -> Any:
    at = urlsplit(url)
    session = Session(
        "localstack",
        "localstack",
        region_name=region,
        localstack_host=at.netloc,
        use_ssl=at.scheme == "https",
    )
    client = session.client(service, config=CONFIG)
    refuse_elsewhere(client.meta.endpoint_url)
    return client
