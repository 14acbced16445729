"""A deployed REST API as clients meet it, with a real control plane, real workers and real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from drill.wait import await_until
from infra_fixtures.data_plane.api_gateway import ApiGateway
from infra_fixtures.data_plane.lambda_runtime import LambdaService
from infra_fixtures.internal_api.clients import call
from infra_fixtures.internal_api.reconciler import run_reconcilers
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.data_plane.deploying import deploy
from tests.infra_fixtures.data_plane.lambda_runtime.harness import run

REGION = "us-east-1"
DOMAIN = "api.dr-drill.example"
KEY = "a-key-of-twenty-letters-or-more"

HANDLER = """
import json, os, time

def handler(event, context):
    said = json.loads(event["body"] or "{}")
    if "sleep" in said:
        time.sleep(said["sleep"])
    if "raise" in said:
        raise ValueError("no")
    if "malformed" in said:
        return {"not": "a proxy response"}
    return {"statusCode": said.get("status", 200), "headers": {"x-region": os.environ["AWS_REGION"]},
            "body": json.dumps(event)}
"""


@dataclass(frozen=True)
class Deployment:
    """What the tests need to know of the API they share."""

    layout: RunLayout
    api: str
    root: str
    regional_name: str
    plan: str


@pytest.fixture(scope="module")
def deployment(control_plane: RunLayout, aws_client: Callable[..., Any]) -> Deployment:
    """An API with /orders (key required) and /{proxy+}, deployed as stage live, under a domain, with a usage plan."""
    deploy(aws_client, "web", HANDLER)
    gateway, functions = aws_client("apigateway"), aws_client("lambda")
    api = gateway.create_rest_api(name="shop", endpointConfiguration={"types": ["REGIONAL"]})["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    add_resource(gateway, api, root, "{proxy+}", "web", timeout_ms=400)
    add_resource(gateway, api, root, "orders", "web", key_required=True)
    add_resource(gateway, api, root, "forbidden", "unshared")
    gateway.create_deployment(restApiId=api, stageName="live")
    deploy(aws_client, "unshared", HANDLER)
    functions.add_permission(
        FunctionName="web",
        StatementId="gateway",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{REGION}:{control_plane.account_id}:{api}/*/*/*",
    )
    key = gateway.create_api_key(name="client", enabled=True, value=KEY)["id"]
    gateway.create_api_key(name="without-plan", enabled=True, value=KEY + "-without-plan")
    plan = gateway.create_usage_plan(
        name="clients", apiStages=[{"apiId": api, "stage": "live"}], throttle={"rateLimit": 10_000, "burstLimit": 5_000}
    )["id"]
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    domain = gateway.create_domain_name(
        domainName=DOMAIN,
        regionalCertificateArn=f"arn:aws:acm:{REGION}:{control_plane.account_id}:certificate/none",
        endpointConfiguration={"types": ["REGIONAL"]},
    )
    gateway.create_base_path_mapping(domainName=DOMAIN, restApiId=api, stage="live")
    return Deployment(control_plane, api, root, domain["regionalDomainName"], plan)


def add_resource(
    gateway: Any, api: str, root: str, part: str, function: str, *, key_required: bool = False, timeout_ms: int = 29_000
) -> None:
    """Add a resource whose every method is proxied to `function`."""
    resource = gateway.create_resource(restApiId=api, parentId=root, pathPart=part)["id"]
    where = {"restApiId": api, "resourceId": resource, "httpMethod": "ANY"}
    gateway.put_method(**where, authorizationType="NONE", apiKeyRequired=key_required)
    arn = f"arn:aws:lambda:{REGION}:123456789012:function:{function}"
    gateway.put_integration(
        **where,
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations",
        timeoutInMillis=timeout_ms,
    )


@dataclass(frozen=True)
class Reply:
    """One HTTP answer."""

    status: int
    body: Any
    headers: dict[str, str]


class Client:
    """Sends requests to the gateway's address under any Host."""

    def __init__(self, layout: RunLayout, session: aiohttp.ClientSession) -> None:
        self._url = layout.region(REGION).gateway.url
        self._session = session

    async def send(
        self,
        path: str,
        said: dict[str, Any] | None = None,
        host: str = DOMAIN,
        key: str | None = None,
        verb: str = "POST",
    ) -> Reply:
        """One request."""
        headers = {"Host": host, **({"x-api-key": key} if key else {})}
        data = json.dumps(said) if said is not None else None
        async with self._session.request(verb, self._url + path, data=data, headers=headers) as response:
            text = await response.text()
            body = json.loads(text) if text.startswith("{") else text
            return Reply(response.status, body, {k.lower(): v for k, v in response.headers.items()})


@contextlib.asynccontextmanager
async def serving(deployment: Deployment) -> AsyncIterator[Client]:
    """A gateway and a Lambda service that follow the control plane, warm, and a client."""
    layout = deployment.layout
    async with LambdaService(layout, REGION) as service, ApiGateway(layout, REGION, service) as gateway:
        task = asyncio.create_task(run_reconcilers(layout, service, gateway))
        try:
            async with aiohttp.ClientSession() as session:
                client = Client(layout, session)

                async def up() -> bool:
                    return (await client.send("/health", verb="GET")).status == 200

                await await_until(up, what="the API to be served", timeout_s=10)
                yield client
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def test_event_holds_what_the_client_sent(deployment: Deployment) -> None:
    """Path, query, headers, body, key, stage and domain stand in the proxy event, by domain name and by API name."""

    async def scenario() -> None:
        async with serving(deployment) as client:
            reply = await client.send("/orders?a=1&a=2&b=", {"key": 7}, host=f"{DOMAIN}:18080", key=KEY)
            assert (reply.status, reply.headers["x-region"]) == (200, REGION)
            event = reply.body
            assert (event["resource"], event["path"], event["httpMethod"]) == ("/orders", "/orders", "POST")
            assert event["queryStringParameters"] == {"a": "2", "b": ""}
            assert event["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [""]}
            assert json.loads(event["body"]) == {"key": 7}
            context = event["requestContext"]
            assert (context["stage"], context["apiId"], context["domainName"]) == ("live", deployment.api, DOMAIN)
            assert context["identity"]["apiKey"] == KEY
            assert context["requestId"] == reply.headers["x-amzn-requestid"]
            host = f"{deployment.api}.execute-api.{REGION}.amazonaws.com"
            direct = await client.send("/live/health/deep?x=%20y", host=host, verb="GET")
            assert direct.body["path"] == "/health/deep"
            assert direct.body["pathParameters"] == {"proxy": "health/deep"}
            assert direct.body["queryStringParameters"] == {"x": " y"}
            assert direct.body["requestContext"]["path"] == "/live/health/deep"
            assert direct.body["body"] is None
            regional = await client.send("/health", host=deployment.regional_name, verb="GET")
            assert regional.status == 200

    run(scenario())


def test_refusals_are_those_of_aws(deployment: Deployment) -> None:
    """Key, host, stage, path and permission are checked, each with its own status, body and error type."""
    forbidden = {"message": "Forbidden"}
    internal = {"message": "Internal server error"}

    async def scenario() -> None:
        async with serving(deployment) as client:
            for key in (None, "wrong", KEY + "-without-plan"):
                reply = await client.send("/orders", {}, key=key)
                assert (reply.status, reply.body) == (403, forbidden)
                assert reply.headers["x-amzn-errortype"] == "ForbiddenException"
            missing = await client.send("/", verb="GET")
            assert (missing.status, missing.body) == (403, {"message": "Missing Authentication Token"})
            assert missing.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
            assert (await client.send("/health", host="somebody.example")).status == 403
            host = f"{deployment.api}.execute-api.{REGION}.amazonaws.com"
            assert (await client.send("/nostage/health", host=host)).status == 403
            unshared = await client.send("/forbidden", {})
            assert (unshared.status, unshared.body) == (500, internal)
            raised = await client.send("/x", {"raise": 1})
            malformed = await client.send("/x", {"malformed": 1})
            assert (raised.status, raised.body, malformed.status) == (502, internal, 502)
            assert raised.headers["x-amzn-errortype"] == "InternalServerErrorException"
            assert raised.headers["x-amzn-requestid"]
            late = await client.send("/x", {"sleep": 0.8})
            assert (late.status, late.body) == (504, {"message": "Endpoint request timed out"})

    run(scenario())


def test_a_throttled_function_is_a_500_within_250_ms(deployment: Deployment, aws_client: Callable[..., Any]) -> None:
    """Reserved concurrency 0 shows at the client as AWS shows it, and its end gives service back."""
    functions = aws_client("lambda")

    async def scenario() -> None:
        async with serving(deployment) as client:

            async def status() -> int:
                return (await client.send("/health", verb="GET")).status

            async def broken() -> bool:
                return await status() == 500

            async def healed() -> bool:
                return await status() == 200

            await call(functions.put_function_concurrency, FunctionName="web", ReservedConcurrentExecutions=0)
            await await_until(broken, what="the throttle", timeout_s=0.25, every_s=0.005)
            await call(functions.delete_function_concurrency, FunctionName="web")
            await await_until(healed, what="service again", timeout_s=0.25, every_s=0.005)

    run(scenario())


def test_a_usage_plan_throttles_a_key(deployment: Deployment, aws_client: Callable[..., Any]) -> None:
    """A lowered limit bites within 250 ms of UpdateUsagePlan: 429 for the key, and nothing for who needs none."""
    gateway = aws_client("apigateway")

    def limit(rate: str, burst: str) -> None:
        settings = {"rateLimit": rate, "burstLimit": burst}
        gateway.update_usage_plan(
            usagePlanId=deployment.plan,
            patchOperations=[{"op": "replace", "path": f"/throttle/{k}", "value": v} for k, v in settings.items()],
        )

    async def scenario() -> None:
        async with serving(deployment) as client:
            await call(limit, "1", "2")

            async def bitten() -> Reply | None:
                reply = await client.send("/orders", {}, key=KEY)
                return None if reply.status == 200 else reply

            reply = await await_until(bitten, what="the throttle", timeout_s=0.25, every_s=0.005)
            assert reply is not None
            assert (reply.status, reply.body) == (429, {"message": "Too Many Requests"})
            assert reply.headers["x-amzn-errortype"] == "TooManyRequestsException"
            assert (await client.send("/health", verb="GET")).status == 200

    try:
        run(scenario())
    finally:
        limit("10000", "5000")


def test_resources_show_only_once_they_are_deployed(deployment: Deployment, aws_client: Callable[..., Any]) -> None:
    """A resource added to the API is served by the deployment after it, not before."""
    gateway = aws_client("apigateway")

    async def scenario() -> None:
        async with serving(deployment) as client:
            added = (add_resource, gateway, deployment.api, deployment.root, "late", "web")
            await call(*added, key_required=True)
            await call(gateway.update_rest_api, restApiId=deployment.api, patchOperations=[])
            for _ in range(5):
                assert (await client.send("/late", {})).status == 200  # the proxy resource still serves it
            await call(gateway.create_deployment, restApiId=deployment.api, stageName="live")

            async def shown() -> bool:
                return (await client.send("/late", {})).status == 403

            await await_until(shown, what="the new deployment", timeout_s=0.25, every_s=0.005)

    run(scenario())


def test_access_log_has_a_line_a_request_and_no_key(deployment: Deployment) -> None:
    """Every request leaves a JSON line that says how it ended; the key's value is in none."""

    async def scenario() -> None:
        async with serving(deployment) as client:
            served = await client.send("/orders", {}, key=KEY)
            refused = await client.send("/orders", {})
        ids.extend([served.headers["x-amzn-requestid"], refused.headers["x-amzn-requestid"]])

    ids: list[str] = []
    run(scenario())
    text = (Path(deployment.layout.work_dir) / f"api-gateway-{REGION}.access.jsonl").read_text()
    entries = {e["requestId"]: e for e in map(json.loads, text.splitlines())}
    served, refused = (entries[i] for i in ids)
    assert (served["status"], served["resourcePath"], served["stage"]) == (200, "/orders", "live")
    assert 0 < served["integrationLatency"] <= served["responseLatency"]
    assert (refused["status"], refused["error"]) == (403, "INVALID_API_KEY")
    assert KEY not in text
