"""What a region's API Gateway serves, as its API describes it: stages, keys and plans, domains.

A stage serves the deployment it points at, and a deployment is a snapshot of the API's resources. The API gives no way
to read a snapshot back, so it is taken by reading the resources when a deployment is first seen (within the 250 ms of a
reconcile); from then on edits to resources do not show until they are deployed. Where the gateway restarts it takes
the resources as they then are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra_fixtures.data_plane.api_gateway.routing import Router
from infra_fixtures.data_plane.api_gateway.throttle import Allowance, Limit

NO_BASE_PATH = "(none)"


@dataclass(frozen=True, slots=True)
class Api:
    """One REST API."""

    id: str
    name: str
    binary_types: tuple[str, ...]
    execute_api_disabled: bool


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of an API and the deployment it serves; `throttles` by "resource path/METHOD", "*/*" for all."""

    api: Api
    name: str
    deployment_id: str
    router: Router
    variables: Mapping[str, str]
    throttles: Mapping[str, Limit]

    def limit(self, resource_path: str, http_method: str) -> tuple[str, Limit] | None:
        """The throttle setting that holds for a method, under its key."""
        key = f"{resource_path}/{http_method}"
        if key in self.throttles:
            return key, self.throttles[key]
        if "*/*" in self.throttles:
            return "*/*", self.throttles["*/*"]
        return None


@dataclass(frozen=True, slots=True)
class Plan:
    """One usage plan."""

    id: str
    limit: Limit
    quota: Allowance | None
    stages: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Key:
    """One enabled API key and the plans it belongs to."""

    id: str
    plans: tuple[Plan, ...]

    def plan(self, api: str, stage: str) -> Plan | None:
        """The plan under which the key may use a stage."""
        return next((p for p in self.plans if (api, stage) in p.stages), None)


@dataclass(frozen=True, slots=True)
class Domain:
    """One custom domain name; `mappings` is (base path, api, stage), the longest base path first."""

    name: str
    regional_name: str
    mappings: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Served:
    """All that a region serves; `hosts` says what each Host leads to, an API by its id or a domain."""

    apis: Mapping[str, Api] = field(default_factory=dict)
    stages: Mapping[tuple[str, str], Stage] = field(default_factory=dict)
    keys: Mapping[str, Key] = field(default_factory=dict)
    domains: tuple[Domain, ...] = ()
    hosts: Mapping[str, Domain | str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *,
        region: str,
        apis: Mapping[str, Api],
        stages: Mapping[tuple[str, str], Stage],
        keys: Mapping[str, Key],
        domains: tuple[Domain, ...],
    ) -> Served:
        """Put the parts together."""
        hosts: dict[str, Domain | str] = {
            f"{api.id}.execute-api.{region}.amazonaws.com": api.id
            for api in apis.values()
            if not api.execute_api_disabled
        }
        for domain in domains:
            hosts[domain.name] = domain
            if domain.regional_name:
                hosts[domain.regional_name] = domain
        return cls(apis, stages, keys, domains, hosts)

    def stage_for(self, host: str, path: str) -> tuple[Stage, str, str] | None:
        """(stage, path inside it, path as the function is told it); the latter keeps a domain's base path."""
        target = self.hosts.get(host)
        if target is None:
            return None
        if isinstance(target, str):
            name, inside = _split_stage(path)
            stage = self.stages.get((target, name))
            return None if stage is None else (stage, inside, inside)
        for base_path, api, name in target.mappings:
            if base_path and not (path + "/").startswith(f"/{base_path}/"):
                continue
            inside = path[len(base_path) + 1 :] if base_path else path
            if not name:  # a mapping without a stage leaves it to the path
                name, inside = _split_stage(inside)
            stage = self.stages.get((api, name))
            if stage is not None:
                return stage, inside or "/", path
        return None


def _split_stage(path: str) -> tuple[str, str]:
    name, _, rest = path.lstrip("/").partition("/")
    return name, "/" + rest


Snapshots = dict[tuple[str, str], Router]
"""Resources by (API, deployment)."""


def read_stages(client: Any, snapshots: Snapshots) -> tuple[dict[str, Api], dict[tuple[str, str], Stage]]:
    """The APIs and their stages; deployments not yet in `snapshots` are read into it, those of gone APIs dropped."""
    apis = {
        a["id"]: Api(
            id=a["id"],
            name=a["name"],
            binary_types=tuple(a.get("binaryMediaTypes") or ()),
            execute_api_disabled=bool(a.get("disableExecuteApiEndpoint")),
        )
        for page in client.get_paginator("get_rest_apis").paginate()
        for a in page["items"]
    }
    stages = {}
    for api in apis.values():
        for said in client.get_stages(restApiId=api.id)["item"]:
            deployment = said["deploymentId"]
            router = snapshots.get((api.id, deployment))
            if router is None:
                router = snapshots[(api.id, deployment)] = Router(_resources(client, api.id))
            stages[(api.id, said["stageName"])] = Stage(
                api=api,
                name=said["stageName"],
                deployment_id=deployment,
                router=router,
                variables=dict(said.get("variables") or {}),
                throttles={
                    _method_key(k): Limit(s["throttlingRateLimit"], s["throttlingBurstLimit"])
                    for k, s in (said.get("methodSettings") or {}).items()
                    if s.get("throttlingRateLimit", -1) >= 0 and s.get("throttlingBurstLimit", -1) >= 0
                },
            )
    for key in [k for k in snapshots if k[0] not in apis]:
        del snapshots[key]
    return apis, stages


def read_keys(client: Any) -> dict[str, Key]:
    """The enabled API keys by value, with the plans each belongs to."""
    plans: dict[str, list[Plan]] = {}
    for page in client.get_paginator("get_usage_plans").paginate():
        for said in page["items"]:
            plan = _plan(said)
            for keys in client.get_paginator("get_usage_plan_keys").paginate(usagePlanId=plan.id):
                for key in keys["items"]:
                    plans.setdefault(key["id"], []).append(plan)
    return {
        said["value"]: Key(said["id"], tuple(plans.get(said["id"], ())))
        for page in client.get_paginator("get_api_keys").paginate(includeValues=True)
        for said in page["items"]
        if said.get("enabled")
    }


def read_domains(client: Any) -> tuple[Domain, ...]:
    """The custom domain names and their base path mappings."""
    found = []
    for page in client.get_paginator("get_domain_names").paginate():
        for said in page["items"]:
            mappings = client.get_base_path_mappings(domainName=said["domainName"]).get("items", [])
            paths = [
                (
                    "" if m.get("basePath") in (None, NO_BASE_PATH) else m["basePath"],
                    m["restApiId"],
                    m.get("stage") or "",
                )
                for m in mappings
            ]
            found.append(
                Domain(
                    name=said["domainName"].lower(),
                    regional_name=(said.get("regionalDomainName") or "").lower(),
                    mappings=tuple(sorted(paths, key=lambda m: -len(m[0]))),
                )
            )
    return tuple(found)


def _resources(client: Any, api: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("get_resources").paginate(restApiId=api, embed=["methods"])
    return [r for page in pages for r in page["items"]]


def _method_key(setting: str) -> str:
    """A method setting's key: resource path with its slashes escaped (~1), a slash, the method."""
    return setting.replace("~1", "/")


def _plan(said: Mapping[str, Any]) -> Plan:
    throttle, quota = said.get("throttle") or {}, said.get("quota") or {}
    return Plan(
        id=said["id"],
        limit=Limit(throttle.get("rateLimit"), throttle.get("burstLimit")),
        quota=Allowance(int(quota["limit"]), quota.get("period", "DAY")) if quota.get("limit") else None,
        stages=frozenset((s["apiId"], s["stage"]) for s in said.get("apiStages") or ()),
    )
