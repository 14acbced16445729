"""Everything that provisioning made, deleted in the order in which it can be."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from infra_fixtures.provision import (
    api,
    cdn,
    certificate,
    compute,
    database_removal,
    dns,
    identity,
    monitoring,
    network,
    storage,
)
from infra_fixtures.provision.naming import Names
from infra_fixtures.provision.stack import NO_REGION, THREADS, Clients
from infra_fixtures.topology import Topology


def tear_down(
    clients: Clients,
    topology: Topology,
    run_id: str,
    gone: Collection[str] = (),
    *,
    zone_id: str = "",
    certificates: bool = False,
) -> None:
    """Delete everything that provisioning made for this run, whatever part of it is there; other runs' is not touched.

    `gone` are services whose API does not exist any more, with all that it held; `zone_id` and `certificates` are as
    provisioning was told.
    """
    names = Names(run_id)
    functions = (names.orders, names.controller, names.canary, names.reader)

    def removed(service: str, region: str | None, remove: Callable[[Any], None]) -> None:
        if service not in gone:
            remove(clients.client(service, region))

    def fronts(region: str) -> None:
        removed("cloudwatch", region, lambda cloudwatch: monitoring.tear_down_alarms(cloudwatch, names))
        removed("events", region, lambda events: monitoring.tear_down_rule(events, names))
        removed("sns", region, lambda sns: monitoring.tear_down_topic(sns, names))
        removed("apigateway", region, lambda apigateway: api.tear_down(apigateway, topology, names))
        removed("application-autoscaling", region, lambda scaling: compute.tear_down_scaling(scaling, names))
        removed("lambda", region, lambda lambda_: compute.tear_down(lambda_, names))

    def bucket(region: str, s3: Any) -> None:
        key = identity.find_key(clients.client("kms", region), names)
        if key is not None:
            storage.tear_down(s3, names, region, key.account)

    def backs(region: str) -> None:
        # long after the functions: what one still has to say makes its group anew
        removed("logs", region, lambda logs: monitoring.tear_down_logs(logs, names, functions))
        removed("s3", region, lambda s3: bucket(region, s3))
        removed("ec2", region, lambda ec2: network.tear_down(ec2, names))

    primary, standby = topology.region_names
    with ThreadPoolExecutor(THREADS, thread_name_prefix="tear-down") as pool:
        if topology.cloudfront:
            removed("cloudfront", NO_REGION, lambda cloudfront: cdn.tear_down(cloudfront, names))
        _all(
            pool.submit(
                removed, "route53", NO_REGION, lambda route53: dns.tear_down(route53, topology, names, zone_id)
            ),
            *(pool.submit(fronts, r) for r in topology.region_names),
        )
        if certificates:
            for region in topology.region_names:
                removed("acm", region, lambda acm: certificate.tear_down(acm, topology, names))
        removed(
            "rds",
            primary,
            lambda _: database_removal.tear_down({r: clients.client("rds", r) for r in topology.region_names}, names),
        )
        removed("secretsmanager", primary, lambda secrets: database_removal.tear_down_secret(secrets, names, standby))
        _all(*(pool.submit(backs, r) for r in topology.region_names))
        removed("iam", NO_REGION, lambda iam: identity.tear_down_roles(iam, names, topology.region_names))
        for region in topology.region_names:  # last: everything was encrypted under it
            removed("kms", region, lambda kms: identity.tear_down_key(kms, names))


def _all(*futures: Future[Any]) -> None:
    """Wait for all; the first error is raised, after every one has ended."""
    errors = [e for e in (f.exception() for f in futures) if e is not None]
    if errors:
        raise errors[0]
