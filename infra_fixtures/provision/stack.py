"""The layers composed: what needs nothing of another is made at the same time, in both regions."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from infra_fixtures.provision import (
    api,
    cdn,
    certificate,
    compute,
    database,
    dns,
    functions,
    identity,
    monitoring,
    network,
    storage,
)
from infra_fixtures.provision.deployed import Deployed, DeployedRegion
from infra_fixtures.provision.naming import Names
from infra_fixtures.topology import DATABASE_GROUP, ENDPOINT_GROUP, FUNCTION_GROUP, RegionPlan, Topology

T = TypeVar("T")

THREADS = 12
NO_REGION = None
REGIONAL_SERVICES = (
    "kms", "ec2", "rds", "secretsmanager", "s3", "apigateway", "logs", "cloudwatch", "lambda", "sns", "events",
    "application-autoscaling",
)  # fmt: skip
WITHOUT_REGION = ("iam", "route53")


class Clients(Protocol):
    """Where boto3 clients come from; region None is for global services. Calls may come from several threads."""

    def client(self, service: str, region: str | None) -> Any:
        """The client; the same one for the same question."""


def make_clients(clients: Clients, topology: Topology) -> None:
    """Make the clients that provisioning will ask for, while the AWS API is perhaps still starting; it calls nothing."""
    for service in WITHOUT_REGION:
        clients.client(service, NO_REGION)
    for service in REGIONAL_SERVICES:
        for region in topology.region_names:
            clients.client(service, region)


def provision(
    clients: Clients,
    topology: Topology,
    run_id: str,
    *,
    edges: Mapping[str, str] | None = None,
    is_final: Callable[[str], bool] = lambda endpoint: True,
    zone_id: str = "",
    certificates: bool = False,
    readers: bool = False,
    look_every_s: float = database.LOOK_EVERY_S,
    tags: Mapping[str, str] | None = None,
    steps: Callable[[str], AbstractContextManager[None]] = lambda step: contextlib.nullcontext(),
) -> Deployed:
    """Make the system, or what is missing of it; a second time it changes nothing.

    `edges` gives each region's API edge as host:port where functions cannot resolve its name. `is_final` says whether a
    database endpoint is one that serves, where the AWS API names endpoints before the data plane has made them. `zone_id`
    is a hosted zone of the topology's name that is there already; else one is made, which nobody is led to. `certificates`:
    those of the API's name are requested, validated in the zone and awaited. `readers`: functions that read the databases
    for a harness that cannot connect to them. `look_every_s` is how often what takes minutes is looked at. `tags` are given
    to everything beside the run's own. `steps` is entered for each step, by its name, for as long as that lasts, in several
    threads.
    Raises UnusableInput for a topology or run id that cannot be built, WaitTimeout for what does not get ready.
    """
    names = Names(run_id, tuple(sorted((tags or {}).items())))
    with ThreadPoolExecutor(THREADS, thread_name_prefix="provision") as pool:
        options = _Options(edges or {}, is_final, zone_id, certificates, readers, look_every_s, steps)
        return _Stack(clients, topology, names, pool, options).build()


@dataclass(frozen=True, slots=True)
class _Options:
    """What differs from target to target, as `provision` is told."""

    edges: Mapping[str, str]
    is_final: Callable[[str], bool]
    zone_id: str
    certificates: bool
    readers: bool
    look_every_s: float
    steps: Callable[[str], AbstractContextManager[None]]


class _Stack:
    """One provisioning. Tasks are submitted after those they wait for, so waiting workers never starve them."""

    def __init__(
        self,
        clients: Clients,
        topology: Topology,
        names: Names,
        pool: ThreadPoolExecutor,
        options: _Options,
    ) -> None:
        self._clients = clients
        self._topology = topology
        self._names = names
        self._pool = pool
        self._options = options

    def build(self) -> Deployed:
        t, names, regions = self._topology, self._names, self._topology.region_names
        primary, standby = regions
        keys = {r: self._do(identity.key, self._aws("kms", r), names, r) for r in regions}
        networks = {p.name: self._do(network.build, self._aws("ec2", p.name), t, p, names) for p in t.regions}
        self._do(database.global_cluster, self._aws("rds", primary), t, names).result()
        held_keys = {r: f.result() for r, f in keys.items()}
        secret = self._do(database.secret, self._aws("secretsmanager", primary), t, names, held_keys)
        clusters = self._do(self._clusters, networks, held_keys, secret)
        roles = self._do(
            lambda: identity.roles(self._aws("iam", NO_REGION), t, names, held_keys, readers=self._options.readers),
            step="roles",
        )
        buckets = self._do(self._buckets, held_keys, roles)
        zone = self._do(self._zone)
        certificates = {r: self._do(self._certificate, r, zone) for r in regions}
        account = held_keys[primary].account
        apis = {p.name: self._do(self._api, p, account, secret, certificates) for p in t.regions}
        checks = {
            r: self._do(
                lambda r=r: dns.health_check(self._aws("route53", NO_REGION), t, names, r, apis[r].result()),
                step=f"health check {r}",
            )
            for r in regions
        }
        groups = {
            r: self._do(monitoring.log_groups, self._aws("logs", r), t, names, self._functions(r)) for r in regions
        }
        alarms = {p.name: self._do(monitoring.alarms, self._aws("cloudwatch", p.name), p, names) for p in t.regions}
        record = self._do(
            lambda: dns.failover_records(
                self._aws("route53", NO_REGION), t, zone.result(), _results(apis), _results(checks)
            ),
            step="failover records",
        )
        edge = self._do(cdn.distribution, self._aws("cloudfront", NO_REGION), t, names) if t.cloudfront else None
        orders = {
            p.name: self._do(self._orders, p, networks, roles, secret, buckets, clusters, apis) for p in t.regions
        }
        watch = self._do(self._watch, roles, clusters, checks, apis)
        readers = [
            self._do(self._reader, p, networks, roles, secret, clusters) for p in t.regions if self._options.readers
        ]
        orders_arns, (alarm, topic, rule) = _results(orders), watch.result()
        for reader in readers:
            reader.result()
        found = clusters.result()
        return Deployed(
            run_id=names.run_id,
            topology_digest=t.digest(),
            api_name=t.api_name,
            api_key=_api_key(secret.result()),
            stage=t.stage,
            zone_id=zone.result(),
            record_name=record.result(),
            orders_function=names.orders,
            orders_alias=compute.ALIAS,
            controller_function=names.controller,
            canary_function=names.canary,
            canary_rule=rule,
            global_cluster_id=names.global_cluster,
            database=t.database,
            alarm_name=alarm,
            topic_arn=topic,
            primary=primary,
            standby=standby,
            distribution="" if edge is None else edge.result(),
            reader_function=names.reader if self._options.readers else "",
            regions={
                r: _region(
                    r, networks[r].result(), held_keys[r], secret.result(), buckets.result()[r], found[r],
                    orders_arns[r], apis[r].result(), checks[r].result(), groups[r].result(), alarms[r].result(),
                )
                for r in regions
            },
        )  # fmt: skip

    def _do(self, task: Callable[..., T], *arguments: Any, step: str = "") -> Future[T]:
        """Submit a task; what it is called and where it works is the name of its step."""
        where = [a.name for a in arguments if isinstance(a, RegionPlan)] or [a for a in arguments if isinstance(a, str)]
        name = step or " ".join((task.__name__.strip("_").replace("_", " "), *where[:1]))

        def done() -> T:
            with self._options.steps(name):
                return task(*arguments)

        return self._pool.submit(done)

    def _aws(self, service: str, region: str | None) -> Any:
        return self._clients.client(service, region)

    def _functions(self, region: str) -> tuple[str, ...]:
        own = (self._names.controller, self._names.canary) if region == self._topology.standby.name else ()
        return (self._names.orders, *own, *((self._names.reader,) if self._options.readers else ()))

    def _zone(self) -> str:
        return self._options.zone_id or dns.zone(self._aws("route53", NO_REGION), self._topology, self._names)

    def _certificate(self, region: str, zone: Future[str]) -> str:
        if not self._options.certificates:
            return ""
        acm, route53 = self._aws("acm", region), self._aws("route53", NO_REGION)
        return certificate.certificate(
            acm, route53, self._topology, self._names, region, zone.result(), self._options.look_every_s
        )

    def _clusters(
        self,
        networks: Mapping[str, Future[network.Network]],
        keys: Mapping[str, identity.Key],
        secret: Future[database.Secret],
    ) -> dict[str, database.Cluster]:
        """Both clusters, the primary's first: a secondary needs a primary to follow."""
        for plan in self._topology.regions:
            database.cluster(
                self._aws("rds", plan.name),
                self._topology,
                plan,
                self._names,
                network=networks[plan.name].result(),
                own=keys[plan.name],
                password=secret.result().password if plan is self._topology.primary else None,
            )
        return {
            r: database.await_cluster(
                self._aws("rds", r), self._names, r, self._options.is_final, self._options.look_every_s
            )
            for r in self._topology.region_names
        }

    def _buckets(self, keys: Mapping[str, identity.Key], roles: Future[identity.Roles]) -> dict[str, str]:
        primary, standby = self._topology.region_names
        made = {r: storage.bucket(self._aws("s3", r), self._names, r, keys[r]) for r in (standby, primary)}
        storage.replicate(
            self._aws("s3", primary), made[primary], made[standby], roles.result().replication, keys[standby]
        )
        return made

    def _api(
        self,
        plan: RegionPlan,
        account: str,
        secret: Future[database.Secret],
        certificates: Mapping[str, Future[str]],
    ) -> api.Api:
        apigateway = self._aws("apigateway", plan.name)
        made = api.rest_api(apigateway, self._topology, plan, self._names, account)
        api.usage(apigateway, self._topology, plan, self._names, made, _api_key(secret.result()))
        own = certificates[plan.name].result()
        return api.domain(apigateway, self._topology, plan, self._names, made, own)

    def _orders(
        self,
        plan: RegionPlan,
        networks: Mapping[str, Future[network.Network]],
        roles: Future[identity.Roles],
        secret: Future[database.Secret],
        buckets: Future[dict[str, str]],
        clusters: Future[dict[str, database.Cluster]],
        apis: Mapping[str, Future[api.Api]],
    ) -> str:
        """The order API's function of a region, its scaling and its gateway's permission."""
        names, region, lambda_ = self._names, plan.name, self._aws("lambda", plan.name)
        wanted = functions.orders(
            self._topology,
            names,
            plan,
            roles.result(),
            cluster=clusters.result()[region],
            secret=secret.result(),
            bucket=buckets.result()[region],
            network=networks[region].result(),
        )
        arn = compute.function(lambda_, self._topology, names, wanted)
        source = f"arn:aws:execute-api:{region}:{arn.split(':')[4]}:{apis[region].result().id}/*"
        compute.permit(lambda_, names.orders, "api", api.APIGATEWAY, source, alias=True)
        compute.scaling(self._aws("application-autoscaling", region), lambda_, plan, names)
        return arn

    def _reader(
        self,
        plan: RegionPlan,
        networks: Mapping[str, Future[network.Network]],
        roles: Future[identity.Roles],
        secret: Future[database.Secret],
        clusters: Future[dict[str, database.Cluster]],
    ) -> None:
        """The region's function that reads its database for the harness."""
        region = plan.name
        wanted = functions.reader(
            self._topology,
            self._names,
            plan,
            roles.result(),
            cluster=clusters.result()[region],
            secret=secret.result(),
            network=networks[region].result(),
        )
        compute.function(self._aws("lambda", region), self._topology, self._names, wanted)

    def _watch(
        self,
        roles: Future[identity.Roles],
        clusters: Future[dict[str, database.Cluster]],
        checks: Mapping[str, Future[str]],
        apis: Mapping[str, Future[api.Api]],
    ) -> tuple[str, str, str]:
        """The standby's controller and canary and what starts them: (alarm, topic ARN, rule)."""
        t, names, standby = self._topology, self._names, self._topology.standby.name
        lambda_, cloudwatch = self._aws("lambda", standby), self._aws("cloudwatch", standby)
        existing, primary_api, check = roles.result(), apis[t.primary.name].result(), checks[t.primary.name].result()
        edge, alarm = self._options.edges.get(t.primary.name), names.of(monitoring.FAILOVER_ALARM)
        canary = functions.canary(t, names, existing, primary_api=primary_api, edge=edge)
        canary_arn = compute.function(lambda_, t, names, canary)
        controller = functions.controller(t, names, existing, clusters=clusters.result(), check=check, alarm=alarm)
        controller_arn = compute.function(lambda_, t, names, controller)
        topic = monitoring.topic(self._aws("sns", standby), lambda_, names, controller_arn)
        monitoring.failover_alarm(cloudwatch, t, names, topic)
        rule = monitoring.canary_rule(self._aws("events", standby), lambda_, t, names, canary_arn)
        return alarm, topic, rule


def _region(
    name: str,
    net: network.Network,
    key: identity.Key,
    secret: database.Secret,
    bucket: str,
    cluster: database.Cluster,
    orders_arn: str,
    front: api.Api,
    check: str,
    groups: tuple[str, ...],
    alarms: tuple[str, ...],
) -> DeployedRegion:
    return DeployedRegion(
        name=name,
        vpc_id=net.vpc_id,
        public_subnets=net.public,
        private_subnets=net.private,
        database_group_id=net.groups[DATABASE_GROUP],
        function_group_id=net.groups[FUNCTION_GROUP],
        endpoint_group_id=net.groups[ENDPOINT_GROUP],
        public_acl_id=net.acls["public"],
        private_acl_id=net.acls["private"],
        kms_key_id=key.id,
        kms_key_arn=key.arn,
        secret_arn=secret.arns[name],
        bucket=bucket,
        cluster_id=cluster.id,
        cluster_arn=cluster.arn,
        instance_id=cluster.instance_id,
        writer_host=cluster.writer,
        reader_host=cluster.reader,
        database_port=cluster.port,
        orders_arn=orders_arn,
        api_id=front.id,
        api_host=front.host,
        domain_target=front.domain_target,
        health_check_id=check,
        log_groups=groups,
        alarms=alarms,
    )


def _api_key(secret: database.Secret) -> str:
    """The clients' key: the same in both regions and at every provisioning, without being kept anywhere else."""
    return hmac.new(secret.password.encode(), b"api key", hashlib.sha256).hexdigest()[:40]


def _results(futures: Mapping[str, Future[T]]) -> dict[str, T]:
    return {name: future.result() for name, future in futures.items()}
