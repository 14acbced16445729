"""API Gateway: a REST API before a function, its key, plan and name, and what takes it away."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.backends import Backend
from tests.conformance.conftest import Names
from tests.conformance.refusals import refused

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:orders"
URI = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"


@pytest.fixture
def client(aws: Backend) -> Any:
    """A client of the primary."""
    return aws.client("apigateway")


@pytest.fixture
def api(client: Any, unique: Names) -> str:
    """A deployed API's id."""
    identity = client.create_rest_api(name=unique("orders"), endpointConfiguration={"types": ["REGIONAL"]})["id"]
    [root] = client.get_resources(restApiId=identity)["items"]
    resource = client.create_resource(restApiId=identity, parentId=root["id"], pathPart="orders")["id"]
    method = {"restApiId": identity, "resourceId": resource, "httpMethod": "PUT"}
    client.put_method(**method, authorizationType="NONE", apiKeyRequired=True)
    client.put_integration(**method, type="AWS_PROXY", integrationHttpMethod="POST", uri=URI)
    deployment = client.create_deployment(restApiId=identity)["id"]
    client.create_stage(restApiId=identity, stageName="v1", deploymentId=deployment)
    return str(identity)


def test_methods_and_integrations_are_described(client: Any, api: str) -> None:
    """The gateway reads path, method, key and function from here."""
    found = {r["path"]: r for r in client.get_resources(restApiId=api, embed=["methods"])["items"]}
    method = found["/orders"]["resourceMethods"]["PUT"]
    assert method["apiKeyRequired"] is True
    assert method["methodIntegration"]["uri"] == URI


def test_a_stage_names_its_deployment(client: Any, api: str) -> None:
    """What is deployed is what the stage points at."""
    stage = client.get_stage(restApiId=api, stageName="v1")
    assert stage["deploymentId"] in {d["id"] for d in client.get_deployments(restApiId=api)["items"]}


def test_a_stage_deleted_is_gone(client: Any, api: str) -> None:
    """The fault "API withdrawn"."""
    client.delete_stage(restApiId=api, stageName="v1")
    with refused("NotFoundException"):
        client.get_stage(restApiId=api, stageName="v1")


def test_a_key_has_the_value_it_was_given(client: Any, unique: Names) -> None:
    """The same key has to work in both regions."""
    value = unique("0123456789abcdef")
    key = client.create_api_key(name=unique("client"), value=value, enabled=True)["id"]
    assert client.get_api_key(apiKey=key, includeValue=True)["value"] == value


def test_a_plan_s_throttle_can_be_turned_down(client: Any, api: str, unique: Names) -> None:
    """The fault "API throttled"."""
    plan = client.create_usage_plan(
        name=unique("clients"),
        throttle={"rateLimit": 100.0, "burstLimit": 200},
        apiStages=[{"apiId": api, "stage": "v1"}],
    )["id"]
    patch = [{"op": "replace", "path": "/throttle/rateLimit", "value": "1"}]
    client.update_usage_plan(usagePlanId=plan, patchOperations=patch)
    assert float(client.get_usage_plan(usagePlanId=plan)["throttle"]["rateLimit"]) == 1.0


def test_a_plan_knows_its_keys(client: Any, api: str, unique: Names) -> None:
    """A key outside of the plan is refused by the gateway."""
    plan = client.create_usage_plan(name=unique("clients"), apiStages=[{"apiId": api, "stage": "v1"}])["id"]
    key = client.create_api_key(name=unique("client"), enabled=True)["id"]
    client.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    assert [k["id"] for k in client.get_usage_plan_keys(usagePlanId=plan)["items"]] == [key]


def test_a_custom_name_has_a_regional_target(client: Any, unique: Names) -> None:
    """What Route 53's alias records point at."""
    made = client.create_domain_name(
        domainName=f"{unique('api')}.example.com", endpointConfiguration={"types": ["REGIONAL"]}
    )
    assert made["regionalDomainName"]
    assert made["regionalHostedZoneId"]


def test_a_custom_name_leads_to_a_stage(client: Any, api: str, unique: Names) -> None:
    """By its base path mapping."""
    name = f"{unique('api')}.example.com"
    client.create_domain_name(domainName=name, endpointConfiguration={"types": ["REGIONAL"]})
    client.create_base_path_mapping(domainName=name, restApiId=api, stage="v1")
    [mapping] = client.get_base_path_mappings(domainName=name)["items"]
    assert (mapping["restApiId"], mapping["stage"]) == (api, "v1")
