"""Everything that provisioning made, deleted in the order in which it can be."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from infra_fixtures.provision import api, cdn, compute, database, dns, identity, monitoring, network, storage
from infra_fixtures.provision.naming import Names
from infra_fixtures.provision.stack import GLOBAL, THREADS, Clients
from infra_fixtures.topology import Topology


def tear_down(clients: Clients, topology: Topology, run_id: str) -> None:
    """Delete everything that provisioning made for this run, whatever part of it is there; other runs' is not touched."""
    names = Names(run_id)

    def client(service: str, region: str | None) -> Any:
        return clients.client(service, region)

    def fronts(region: str) -> None:
        monitoring.tear_down(lambda s: client(s, region), names, (names.orders, names.controller, names.canary))
        api.tear_down(client("apigateway", region), topology, names)
        compute.tear_down(client("lambda", region), client("application-autoscaling", region), names)

    def backs(region: str) -> None:
        key = identity.find_key(client("kms", region), names)
        if key is not None:
            storage.tear_down(client("s3", region), names, region, key.account)
        network.tear_down(client("ec2", region), names)

    primary, standby = topology.region_names
    with ThreadPoolExecutor(THREADS, thread_name_prefix="tear-down") as pool:
        if topology.cloudfront:
            cdn.tear_down(client("cloudfront", GLOBAL), names)
        _all(pool.submit(dns.tear_down, client("route53", GLOBAL), topology, names),
             *(pool.submit(fronts, r) for r in topology.region_names))  # fmt: skip
        database.tear_down({r: client("rds", r) for r in topology.region_names}, names)
        database.tear_down_secret(client("secretsmanager", primary), names, standby)
        _all(*(pool.submit(backs, r) for r in topology.region_names))
        identity.tear_down_roles(client("iam", GLOBAL), names, topology.region_names)
        for region in topology.region_names:  # last: everything was encrypted under it
            identity.tear_down_key(client("kms", region), names)


def _all(*futures: Future[Any]) -> None:
    """Wait for all; the first error is raised, after every one has ended."""
    errors = [e for e in (f.exception() for f in futures) if e is not None]
    if errors:
        raise errors[0]
