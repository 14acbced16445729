"""The API layer: a regional REST API before the order function, with key, usage plan, stage and custom domain name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from drill.unusable import UnusableInput
from infra_fixtures.provision.boto_errors import ignore_errors
from infra_fixtures.provision.compute import ALIAS
from infra_fixtures.provision.naming import RUN_TAG, Names
from infra_fixtures.topology import RegionPlan, Topology

APIGATEWAY = "apigateway.amazonaws.com"
FIRST_PAGE = 500


ALIAS_ZONES = {"us-east-1": "Z1UJRXOUMOOFQ8", "us-west-2": "Z2OJLYMUO9EFXC"}
"""The hosted zone of regional API endpoints, by region, for an AWS API that does not say.

https://docs.aws.amazon.com/general/latest/gr/apigateway.html
"""


@dataclass(frozen=True, slots=True)
class Api:
    """`host` is its execute-api name; `domain_target` and `domain_zone` are what an alias record needs."""

    id: str
    host: str
    domain_target: str
    domain_zone: str


def rest_api(apigateway: Any, topology: Topology, plan: RegionPlan, names: Names, account: str) -> str:
    """The API with its methods, deployed to its stage; its id."""
    found = _mine(apigateway.get_rest_apis(limit=FIRST_PAGE)["items"], names)
    api = found or apigateway.create_rest_api(
        name=names.of("orders"),
        endpointConfiguration={"types": ["REGIONAL"]},
        tags=names.tags("api"),
        disableExecuteApiEndpoint=False,
    )
    identity = str(api["id"])
    if found and topology.stage in {s["stageName"] for s in apigateway.get_stages(restApiId=identity)["item"]}:
        return identity
    function = f"arn:aws:lambda:{plan.name}:{account}:function:{names.orders}:{ALIAS}"
    uri = f"arn:aws:apigateway:{plan.name}:lambda:path/2015-03-31/functions/{function}/invocations"
    described = apigateway.get_resources(restApiId=identity, limit=FIRST_PAGE, embed=["methods"])["items"]
    resources = {r["path"]: str(r["id"]) for r in described}
    methods = {(r["path"], m) for r in described for m in r.get("resourceMethods", {})}
    for route in topology.routes:
        resource = _resource(apigateway, identity, resources, route.path)
        if (route.path, route.method) not in methods:
            parameters = {"method.request.path.key": True} if "{key}" in route.path else {}
            apigateway.put_method(
                restApiId=identity, resourceId=resource, httpMethod=route.method, authorizationType="NONE",
                apiKeyRequired=route.key, requestParameters=parameters,
            )  # fmt: skip
        apigateway.put_integration(
            restApiId=identity, resourceId=resource, httpMethod=route.method, type="AWS_PROXY",
            integrationHttpMethod="POST", uri=uri,
        )  # fmt: skip
    deployment = apigateway.create_deployment(restApiId=identity, description=f"drill {names.run_id}")
    apigateway.create_stage(
        restApiId=identity, stageName=topology.stage, deploymentId=deployment["id"], tags=names.tags("stage")
    )
    return identity


def usage(apigateway: Any, topology: Topology, plan: RegionPlan, names: Names, api: str, value: str) -> None:
    """The API key (the same value in both regions) and its usage plan, throttled to the region's capacity."""
    existing = _named(apigateway.get_api_keys(nameQuery=names.of("client"))["items"], names.of("client"))
    key = existing or apigateway.create_api_key(
        name=names.of("client"), value=value, enabled=True, tags=names.tags("client")
    )
    plans = apigateway.get_usage_plans(limit=FIRST_PAGE)["items"]
    usage_plan = _named(plans, names.of("clients")) or apigateway.create_usage_plan(
        name=names.of("clients"),
        throttle={"rateLimit": plan.capacity.rate_limit, "burstLimit": plan.capacity.burst_limit},
        apiStages=[{"apiId": api, "stage": topology.stage}],
        tags=names.tags("clients"),
    )
    keys = apigateway.get_usage_plan_keys(usagePlanId=usage_plan["id"])["items"]
    if key["id"] not in {k["id"] for k in keys}:
        apigateway.create_usage_plan_key(usagePlanId=usage_plan["id"], keyId=key["id"], keyType="API_KEY")


def domain(
    apigateway: Any, topology: Topology, plan: RegionPlan, names: Names, api: str, certificate_arn: str = ""
) -> Api:
    """The custom domain name, mapped to the stage; `certificate_arn` is the plan's own where none is given."""
    existing = ignore_errors("NotFoundException", apigateway.get_domain_name, domainName=topology.api_name)
    if existing is None:
        arn = certificate_arn or plan.certificate_arn
        certificate = {"regionalCertificateArn": arn} if arn else {}
        if topology.edge_scheme == "https" and not certificate:
            raise UnusableInput(
                f"the API's name {topology.api_name} needs a certificate in {plan.name}: give certificate_arn for it"
            )
        existing = apigateway.create_domain_name(
            domainName=topology.api_name,
            endpointConfiguration={"types": ["REGIONAL"]},
            securityPolicy="TLS_1_2",
            tags=names.tags("domain"),
            **certificate,
        )
    mappings = apigateway.get_base_path_mappings(domainName=topology.api_name).get("items", ())
    if all(m["restApiId"] != api for m in mappings):
        apigateway.create_base_path_mapping(domainName=topology.api_name, restApiId=api, stage=topology.stage)
    return Api(
        id=api,
        host=f"{api}.execute-api.{plan.name}.amazonaws.com",
        domain_target=str(existing["regionalDomainName"]),
        domain_zone=str(existing.get("regionalHostedZoneId") or ALIAS_ZONES[plan.name]),
    )


def tear_down(apigateway: Any, topology: Topology, names: Names) -> None:
    """Delete the region's API and all that leads to it, where it carries the run's tag."""
    existing = ignore_errors("NotFoundException", apigateway.get_domain_name, domainName=topology.api_name)
    if existing is not None and (existing.get("tags") or {}).get(RUN_TAG) == names.run_id:
        for mapping in apigateway.get_base_path_mappings(domainName=topology.api_name).get("items", ()):
            apigateway.delete_base_path_mapping(domainName=topology.api_name, basePath=mapping["basePath"])
        apigateway.delete_domain_name(domainName=topology.api_name)
    api = _mine(apigateway.get_rest_apis(limit=FIRST_PAGE)["items"], names)
    plan = _named(apigateway.get_usage_plans(limit=FIRST_PAGE)["items"], names.of("clients"))
    if plan is not None:
        for key in apigateway.get_usage_plan_keys(usagePlanId=plan["id"])["items"]:
            apigateway.delete_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"])
        for stage in plan.get("apiStages", ()):
            operation = {"op": "remove", "path": "/apiStages", "value": f"{stage['apiId']}:{stage['stage']}"}
            apigateway.update_usage_plan(usagePlanId=plan["id"], patchOperations=[operation])
        apigateway.delete_usage_plan(usagePlanId=plan["id"])
    key = _named(apigateway.get_api_keys(nameQuery=names.of("client"))["items"], names.of("client"))
    if key is not None:
        apigateway.delete_api_key(apiKey=key["id"])
    if api is not None:
        apigateway.delete_rest_api(restApiId=api["id"])


def _resource(apigateway: Any, api: str, resources: dict[str, str], path: str) -> str:
    """The resource of a path, its parents made first."""
    if path not in resources:
        parent, _, part = path.rpartition("/")
        above = _resource(apigateway, api, resources, parent or "/")
        resources[path] = str(apigateway.create_resource(restApiId=api, parentId=above, pathPart=part)["id"])
    return resources[path]


def _mine(items: list[dict[str, Any]], names: Names) -> Mapping[str, Any] | None:
    return next((i for i in items if (i.get("tags") or {}).get(RUN_TAG) == names.run_id), None)


def _named(items: list[dict[str, Any]], name: str) -> Mapping[str, Any] | None:
    return next((i for i in items if i["name"] == name), None)
