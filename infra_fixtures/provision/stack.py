"""The layers in their order: what depends on nothing first, both regions and independent layers side by side."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from infra_fixtures.provision import api, compute, database, dns, identity, monitoring, network, storage
from infra_fixtures.provision.answers import unless
from infra_fixtures.provision.deployed import Clients, Deployed, DeployedRegion
from infra_fixtures.provision.naming import Names
from infra_fixtures.topology import RegionPlan, Topology
from infra_fixtures.workload import package

TRANSFER_LIMIT_S = 120.0
MAKERS = 8
"""How many layers are made at once: most of the time is spent waiting for AWS's answers."""


class MigrationFailed(Exception):
    """The order API could not create its tables; the message is its own error."""


def provision(
    clients: Clients,
    topology: Topology,
    run_id: str,
    *,
    is_final: Callable[[str], bool] = bool,
    health_url: Callable[[str, api.Api], tuple[str, str]] | None = None,
) -> Deployed:
    """Create the topology, or what is missing of it; a second call changes nothing.

    `is_final` says of a cluster's endpoint whether it is the one that will last (a data plane gives its own soon after
    the API has made one up). `health_url` gives URL and Host header under which the canary reaches the primary's API,
    for a target whose AWS names its functions cannot resolve. Raises botocore's ClientError where AWS refuses, and
    WaitTimeout where something does not become available.
    """
    with ThreadPoolExecutor(MAKERS) as pool:
        return _Stack(clients, topology, Names(run_id), pool, is_final, health_url or _public_url(topology)).make()


def migrate(clients: Clients, deployed: Deployed) -> None:
    """Have the order API create its tables from inside the VPC; raises MigrationFailed."""
    primary = next(iter(deployed.regions))
    answer = clients.client("lambda", primary).invoke(
        FunctionName=deployed.orders_function, Payload=json.dumps({"action": "migrate"}).encode()
    )
    said = answer["Payload"].read().decode(errors="replace")
    if answer.get("FunctionError"):
        raise MigrationFailed(f"{deployed.orders_function} in {primary} could not create its tables: {said[:500]}")


def arm(clients: Clients, topology: Topology, deployed: Deployed) -> None:
    """Let the failover alarm act, once the canary has found the primary healthy; raises WaitTimeout."""
    standby = topology.standby.name
    monitoring.arm(
        clients.client("cloudwatch", standby),
        clients.client("lambda", standby),
        Names(deployed.run_id),
        deployed.alarm_name,
    )


def tear_down(clients: Clients, topology: Topology, run_id: str) -> None:
    """Delete everything of the run, users of a thing before the thing; nothing of another's is touched."""
    names = Names(run_id)
    route53, iam = clients.client("route53", None), clients.client("iam", None)
    primary, standby = topology.region_names
    dns.tear_down(route53, topology, names)
    for region in topology.region_names:
        functions = [names.orders, *((names.controller, names.canary) if region == standby else ())]
        monitoring.tear_down(lambda service, region=region: clients.client(service, region), names, functions)
        api.tear_down(clients.client("apigateway", region), topology, names)
        compute.tear_down(clients.client("lambda", region), clients.client("application-autoscaling", region), names)
    database.tear_down({r: clients.client("rds", r) for r in topology.region_names}, names)
    manager = clients.client("secretsmanager", primary)
    database.tear_down_secret(manager, names, standby)
    unless(
        "ResourceNotFoundException", manager.delete_secret, SecretId=names.of("client"), ForceDeleteWithoutRecovery=True
    )
    account = str(clients.client("sts", primary).get_caller_identity()["Account"])
    for region in topology.region_names:
        storage.tear_down(clients.client("s3", region), names, region, account)
        network.tear_down(clients.client("ec2", region), names)
        identity.tear_down_key(clients.client("kms", region), names)
    identity.tear_down_roles(iam, names, topology.region_names)


def _public_url(topology: Topology) -> Callable[[str, api.Api], tuple[str, str]]:
    def url(region: str, found: api.Api) -> tuple[str, str]:
        return f"{topology.edge_scheme}://{found.host}:{topology.edge_port}", ""

    return url


@dataclass(frozen=True, slots=True)
class _Stack:
    """One provisioning: each method makes a part, and `make` says what waits for what."""

    clients: Clients
    topology: Topology
    names: Names
    pool: ThreadPoolExecutor
    is_final: Callable[[str], bool]
    health_url: Callable[[str, api.Api], tuple[str, str]]

    def make(self) -> Deployed:
        topology, names = self.topology, self.names
        primary, standby = topology.region_names
        networks = {p.name: self.pool.submit(self._network, p) for p in topology.regions}
        client_key = self._client_key(primary)
        zone = self.pool.submit(dns.zone, self._at("route53"), topology, names)
        key_jobs = {r: self.pool.submit(identity.key, self._at("kms", r), names, r) for r in topology.region_names}
        keys = {r: job.result() for r, job in key_jobs.items()}
        account = keys[primary].account
        roles_job = self.pool.submit(identity.roles, self._at("iam"), topology, names, keys)
        buckets = {
            r: self.pool.submit(storage.bucket, self._at("s3", r), names, r, keys[r]) for r in topology.region_names
        }
        apis = {p.name: self.pool.submit(self._api, p, account, client_key) for p in topology.regions}
        secret = database.secret(self._at("secretsmanager", primary), topology, names, keys)
        self._clusters(networks, keys, secret)
        found = {r: job.result() for r, job in apis.items()}
        checks = {r: dns.health_check(self._at("route53"), topology, names, r, found[r]) for r in topology.region_names}
        roles = roles_job.result()
        identity.let_controller_steer(self._at("iam"), names, checks[primary])
        storage.replicate(
            self._at("s3", primary),
            buckets[primary].result(),
            buckets[standby].result(),
            roles.replication,
            keys[standby],
        )
        clusters = {
            r: database.await_cluster(self._at("rds", r), names, r, self.is_final) for r in topology.region_names
        }
        orders = {
            p.name: self.pool.submit(
                self._orders,
                p,
                networks[p.name].result(),
                roles,
                clusters[p.name],
                buckets[p.name].result(),
                secret,
                account,
            )
            for p in topology.regions
        }
        watch = self.pool.submit(
            self._watch, roles, clusters, checks, found, {r: j.result() for r, j in networks.items()}
        )
        for job in orders.values():
            job.result()
        dns.failover_records(self._at("route53"), topology, zone.result(), found, checks)
        alarm, topic = watch.result()
        return Deployed(
            run_id=names.run_id,
            topology_digest=topology.digest(),
            zone_id=zone.result(),
            api_name=topology.api_name,
            api_key=client_key,
            stage=topology.stage,
            orders_function=names.orders,
            controller_function=names.controller,
            canary_function=names.canary,
            global_cluster_id=names.global_cluster,
            alarm_name=alarm,
            topic_arn=topic,
            regions={
                r: DeployedRegion(
                    vpc_id=networks[r].result().vpc_id,
                    subnets=networks[r].result().subnets,
                    groups=networks[r].result().groups,
                    acls=networks[r].result().acls,
                    key_arn=keys[r].arn,
                    bucket=buckets[r].result(),
                    cluster_id=clusters[r].id,
                    cluster_arn=clusters[r].arn,
                    instance_id=clusters[r].instance_id,
                    secret_arn=secret.arns[r],
                    api_id=found[r].id,
                    api_host=found[r].host,
                    health_check_id=checks[r],
                )
                for r in topology.region_names
            },
        )

    def _at(self, service: str, region: str | None = None) -> Any:
        return self.clients.client(service, region)

    def _network(self, plan: RegionPlan) -> network.Network:
        return network.build(self._at("ec2", plan.name), self.topology, plan, self.names)

    def _clusters(
        self,
        networks: Mapping[str, Future[network.Network]],
        keys: Mapping[str, identity.Key],
        secret: database.Secret,
    ) -> None:
        """The global cluster, its primary, then its secondary, which AWS wants in this order."""
        database.global_cluster(self._at("rds", self.topology.primary.name), self.topology, self.names)
        for plan, password in zip(self.topology.regions, (secret.password, None), strict=True):
            database.cluster(
                self._at("rds", plan.name), self.topology, plan, self.names,
                network=networks[plan.name].result(), own=keys[plan.name], password=password,
            )  # fmt: skip

    def _api(self, plan: RegionPlan, account: str, client_key: str) -> api.Api:
        gateway = self._at("apigateway", plan.name)
        made = api.rest_api(gateway, self.topology, plan, self.names, account)
        api.usage(gateway, self.topology, plan, self.names, made, client_key)
        return api.domain(gateway, self.topology, plan, self.names, made)

    def _client_key(self, region: str) -> str:
        """The API key's value, the same in both regions: kept in a secret, so that a second call finds it."""
        manager = self._at("secretsmanager", region)
        name = self.names.of("client")
        held = unless("ResourceNotFoundException", manager.get_secret_value, SecretId=name)
        if held is not None:
            return str(held["SecretString"])
        value = secrets.token_urlsafe(30)
        manager.create_secret(Name=name, SecretString=value, Tags=self.names.tag_list("client"))
        return value

    def _orders(
        self,
        plan: RegionPlan,
        net: network.Network,
        roles: identity.Roles,
        cluster: database.Cluster,
        bucket: str,
        secret: database.Secret,
        account: str,
    ) -> None:
        functions, topology, names = self._at("lambda", plan.name), self.topology, self.names
        monitoring.log_groups(self._at("logs", plan.name), topology, names, [names.orders])
        wanted = compute.Function(
            name=names.orders,
            module=package.ORDER_API,
            role=roles.orders[plan.name],
            timeout_s=topology.function_timeout_s,
            memory_mb=plan.capacity.memory_mb,
            environment={
                "DB_WRITER_HOST": cluster.writer,
                "DB_READER_HOST": cluster.reader,
                "DB_PORT": str(cluster.port),
                "DB_NAME": topology.database,
                "DB_SECRET_ARN": secret.arns[plan.name],
                "DB_TLS": topology.database_tls,
                "RECEIPTS_BUCKET": bucket,
            },
            network=net,
            reserved=plan.capacity.reserved_concurrency,
            alias=True,
        )
        compute.function(functions, topology, names, wanted)
        compute.scaling(self._at("application-autoscaling", plan.name), functions, plan, names)
        found = api.rest_api(self._at("apigateway", plan.name), topology, plan, names, account)
        source = f"arn:aws:execute-api:{plan.name}:{account}:{found}/*"
        compute.permit(functions, names.orders, "api", api.APIGATEWAY, source, alias=True)
        monitoring.alarms(self._at("cloudwatch", plan.name), plan, names)

    def _watch(
        self,
        roles: identity.Roles,
        clusters: Mapping[str, database.Cluster],
        checks: Mapping[str, str],
        apis: Mapping[str, api.Api],
        networks: Mapping[str, network.Network],
    ) -> tuple[str, str]:
        """Canary and controller in the standby, and what connects them: rule, alarm, topic."""
        topology, names = self.topology, self.names
        primary, standby = topology.region_names
        functions = self._at("lambda", standby)
        monitoring.log_groups(self._at("logs", standby), topology, names, [names.controller, names.canary])
        alarm = names.of(monitoring.FAILOVER_ALARM)
        full = topology.primary.capacity
        controller = compute.function(
            functions, topology, names,
            compute.Function(
                name=names.controller, module=package.CONTROLLER, role=roles.controller,
                timeout_s=topology.controller_timeout_s, memory_mb=compute.MEMORY_MB,
                environment={
                    "ALARM_NAME": alarm,
                    "GLOBAL_CLUSTER_ID": names.global_cluster,
                    "ORDERS_ALIAS": compute.ALIAS,
                    "ORDERS_FUNCTION": names.orders,
                    "PRIMARY_CLUSTER_ARN": clusters[primary].arn,
                    "PRIMARY_HEALTH_CHECK_ID": checks[primary],
                    "PRIMARY_REGION": primary,
                    "RAISED_PROVISIONED": str(full.provisioned_concurrency),
                    "RAISED_RESERVED": str(full.reserved_concurrency),
                    "RAISED_SCALING_MIN": str(full.scaling_min),
                    "RAISED_SCALING_MAX": str(full.scaling_max),
                    "STANDBY_CLUSTER_ARN": clusters[standby].arn,
                    "TRANSFER_LIMIT_S": f"{TRANSFER_LIMIT_S:g}",
                },
            ),
        )  # fmt: skip
        url, host = self.health_url(primary, apis[primary])
        canary = compute.function(
            functions, topology, names,
            compute.Function(
                name=names.canary, module=package.CANARY, role=roles.canary,
                timeout_s=max(60, round(topology.canary.duration_s) + 10), memory_mb=compute.MEMORY_MB,
                environment={
                    "CANARY_INTERVAL_S": f"{topology.canary.interval_s:g}",
                    "CANARY_DURATION_S": f"{topology.canary.duration_s:g}",
                    "CANARY_TIMEOUT_S": f"{topology.canary.timeout_s:g}",
                    "CANARY_NAMESPACE": topology.canary.namespace,
                    "CANARY_METRIC": topology.canary.metric,
                    "CANARY_RUN": names.run_id,
                    "PRIMARY_HEALTH_URL": f"{url}/{topology.stage}{topology.health_check.path}",
                    "PRIMARY_HEALTH_HOST": host,
                },
            ),
        )  # fmt: skip
        topic = monitoring.topic(self._at("sns", standby), functions, names, controller)
        monitoring.failover_alarm(self._at("cloudwatch", standby), topology, names, topic)
        monitoring.canary_rule(self._at("events", standby), functions, topology, names, canary)
        return alarm, topic
