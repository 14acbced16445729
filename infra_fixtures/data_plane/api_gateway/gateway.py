"""API Gateway of one region: a reconciler of its API that serves what is deployed, over HTTP on the layout's `gateway`.

Served are regional REST APIs with Lambda proxy integrations, by their execute-api name, by custom domain names and by
these domains' regional names. A method that asks for an authorizer this gateway does not have is refused (403), any
other integration is answered 500; both say so in the access log.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from infra_fixtures.data_plane.api_gateway import deployed, gateway_responses, proxy
from infra_fixtures.data_plane.api_gateway.access_log import AccessLog, Entry
from infra_fixtures.data_plane.api_gateway.deployed import Served, Stage
from infra_fixtures.data_plane.api_gateway.request_context import Refused, RequestContext
from infra_fixtures.data_plane.api_gateway.routing import Method
from infra_fixtures.data_plane.api_gateway.throttle import Throttles
from infra_fixtures.data_plane.lambda_runtime import InvokeResult
from infra_fixtures.internal_api import clients
from infra_fixtures.internal_api.changes import Change
from infra_fixtures.internal_api.metric_batch import Dimensions, MetricBatch
from infra_fixtures.run_layout import RunLayout

log = logging.getLogger(__name__)

MOST_BODY_BYTES = 10 * 1024 * 1024
PRINCIPAL = "apigateway.amazonaws.com"

STAGES, KEYS, DOMAINS = "stages", "keys", "domains"
EVERYTHING = frozenset({STAGES, KEYS, DOMAINS})


class Functions(Protocol):
    """The Lambda service as a gateway needs it."""

    async def invoke(self, function_name: str, payload: bytes) -> InvokeResult:
        """Run a function and wait for it."""

    def permits(self, function_name: str, principal: str, source_arn: str) -> bool:
        """Whether the function's policy lets the gateway invoke it."""


class ApiGateway:
    """Serves the REST APIs of `region` from the functions of `lambda_service`."""

    def __init__(self, layout: RunLayout, region: str, lambda_service: Functions) -> None:
        self._layout = layout
        self._region = region
        self._functions = lambda_service
        self._served = Served()
        self._snapshots: deployed.Snapshots = {}
        self._throttles = Throttles()
        self._metrics = MetricBatch(layout, region, "AWS/ApiGateway")
        self._dimensions: dict[tuple[str, str], tuple[Dimensions, Dimensions]] = {}
        self._access = AccessLog(Path(layout.work_dir) / f"api-gateway-{region}.access.jsonl")
        self._runner: web.ServerRunner | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # life

    async def start(self) -> None:
        """Serve; APIs come with the first reconcile()."""
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None, keepalive_timeout=75.0), shutdown_timeout=0.1
        )
        await self._runner.setup()
        at = self._layout.region(self._region).gateway
        await web.TCPSite(self._runner, at.host, at.port, backlog=1024).start()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._access.run()), loop.create_task(self._metrics.publish())]

    async def stop(self) -> None:
        """Close the port; requests under way are cut off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()
        self._access.write()

    async def __aenter__(self) -> ApiGateway:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # following

    @property
    def services(self) -> frozenset[str]:
        """Reconciles the API Gateway (v1) API."""
        return frozenset({"apigateway"})

    async def reconcile(self, changes: Sequence[Change]) -> None:
        """Serve what the API now says; a change leads to a look at its own part only, none to a look at everything."""
        parts = EVERYTHING
        if changes:
            parts = frozenset[str]().union(*(_parts_of(c.action) for c in changes if c.region == self._region))
        client = clients.client(self._layout, "apigateway", self._region)
        reading: dict[str, Any] = {}
        if STAGES in parts:
            reading[STAGES] = clients.call(deployed.read_stages, client, self._snapshots)
        if KEYS in parts:
            reading[KEYS] = clients.call(deployed.read_keys, client)
        if DOMAINS in parts:
            reading[DOMAINS] = clients.call(deployed.read_domains, client)
        if not reading:
            return
        found = dict(zip(reading, await asyncio.gather(*reading.values()), strict=True))
        apis, stages = found.get(STAGES, (self._served.apis, self._served.stages))
        self._served = Served.of(
            region=self._region,
            apis=apis,
            stages=stages,
            keys=found.get(KEYS, self._served.keys),
            domains=found.get(DOMAINS, self._served.domains),
        )

    # serving

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        began_s = time.monotonic()
        context = RequestContext(request)
        try:
            response = await self._serve(request, context)
        except proxy.MalformedAnswer as e:
            response = context.refuse(gateway_responses.BAD_INTEGRATION_ANSWER, f"Malformed Lambda proxy response: {e}")
        except Refused as e:
            response = context.refuse(e.response, e.detail)
        headers = response.headers
        headers["x-amzn-RequestId"] = context.request_id
        headers["x-amz-apigw-id"] = context.extended_id
        self._account_for(context, response, (time.monotonic() - began_s) * 1000)
        return response

    async def _serve(self, request: web.BaseRequest, context: RequestContext) -> web.Response:
        found = self._served.stage_for(context.host, context.path)
        if found is None:
            raise Refused(gateway_responses.UNKNOWN_HOST, f"nothing is deployed at {context.host}{context.path}")
        stage, path, event_path = found
        context.stage = stage
        matched = stage.router.match(request.method, path)
        if matched is None:
            raise Refused(gateway_responses.MISSING_AUTHENTICATION_TOKEN)
        method, parameters = matched
        context.method = method
        if method.authorization != "NONE":
            raise Refused(
                gateway_responses.MISSING_AUTHENTICATION_TOKEN, f"authorization {method.authorization} is not modelled"
            )
        key = self._admit(request, stage, method, context)
        if (request.content_length or 0) > MOST_BODY_BYTES:
            raise Refused(gateway_responses.REQUEST_TOO_LARGE)
        body = await request.read() if request.body_exists else b""
        if len(body) > MOST_BODY_BYTES:
            raise Refused(gateway_responses.REQUEST_TOO_LARGE)
        function = self._function(stage, method, request.method)
        call = proxy.Call(
            stage=stage,
            method=method,
            parameters=parameters,
            http_method=request.method,
            path=event_path,
            context_path=context.path,
            query=context.query,
            headers=request.headers,
            body=body,
            host=context.host,
            source_ip=context.source_ip,
            request_id=context.request_id,
            extended_id=context.extended_id,
            trace_id=context.trace_id,
            api_key=key,
            api_key_id=context.api_key_id,
            account_id=self._layout.account_id,
        )
        result = await self._invoke(function, call, context)
        status, headers, answer = proxy.answer(
            result.payload, accepts=request.headers.get("Accept", ""), binary_types=stage.api.binary_types
        )
        headers["X-Amzn-Trace-Id"] = context.trace_id
        return web.Response(status=status, headers=headers, body=answer)

    def _admit(self, request: web.BaseRequest, stage: Stage, method: Method, context: RequestContext) -> str | None:
        """Check key, plan and throttles; the key's value where one was needed."""
        value = None
        api, name = stage.api.id, stage.name
        if method.api_key_required:
            value = request.headers.get("x-api-key")
            key = self._served.keys.get(value) if value else None
            plan = key.plan(api, name) if key is not None else None
            if key is None or plan is None:
                raise Refused(gateway_responses.INVALID_API_KEY)
            context.api_key_id = key.id
            if not self._throttles.admit((plan.id, key.id, api, name), plan.limit):
                raise Refused(gateway_responses.THROTTLED, f"usage plan {plan.id}")
            if plan.quota is not None and not self._throttles.count((plan.id, key.id), plan.quota):
                raise Refused(gateway_responses.QUOTA_EXCEEDED, f"usage plan {plan.id}")
        setting = stage.limit(method.resource_path, request.method)
        if setting is not None and not self._throttles.admit((api, name, setting[0]), setting[1]):
            raise Refused(gateway_responses.THROTTLED, f"stage setting {setting[0]}")
        return value

    def _function(self, stage: Stage, method: Method, http_method: str) -> str:
        """The function to invoke; refuses where there is none or its policy does not let this API in."""
        if method.integration != "AWS_PROXY" or method.function is None:
            detail = f"integration {method.integration or 'missing'} is not modelled"
            raise Refused(gateway_responses.CONFIGURATION_ERROR, detail)
        function = method.function
        if "${stageVariables." in function:
            for name, value in stage.variables.items():
                function = function.replace(f"${{stageVariables.{name}}}", value)
        source = (
            f"arn:aws:execute-api:{self._region}:{self._layout.account_id}:"
            f"{stage.api.id}/{stage.name}/{http_method}{method.resource_path}"
        )
        if not self._functions.permits(function, PRINCIPAL, source):
            raise Refused(gateway_responses.CONFIGURATION_ERROR, "Invalid permissions on Lambda function")
        return function

    async def _invoke(self, function: str, call: proxy.Call, context: RequestContext) -> InvokeResult:
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(call.method.timeout_s):
                result = await self._functions.invoke(function, proxy.event(call))
        except TimeoutError:
            raise Refused(gateway_responses.INTEGRATION_TIMEOUT, "Execution failed due to a timeout error") from None
        finally:
            context.integration_ms = (time.monotonic() - began_s) * 1000
        context.integration_request_id = result.request_id
        if result.status != 200:
            raise Refused(
                gateway_responses.INTEGRATION_FAILURE, f"Lambda invocation failed with status: {result.status}"
            )
        if result.function_error is not None:
            raise Refused(
                gateway_responses.BAD_INTEGRATION_ANSWER,
                "Lambda execution failed with status 200 due to customer function error",
            )
        return result

    def _account_for(self, context: RequestContext, response: web.Response, duration_ms: float) -> None:
        stage, method = context.stage, context.method
        self._access.note(
            Entry(
                request_time_epoch=time.time_ns() // 1_000_000,
                request_id=context.request_id,
                ip=context.source_ip,
                domain_name=context.host,
                http_method=context.http_method,
                path=context.path,
                status=response.status,
                response_length=len(response.body) if isinstance(response.body, bytes) else 0,
                response_latency=round(duration_ms, 3),
                integration_latency=None if context.integration_ms is None else round(context.integration_ms, 3),
                stage=stage.name if stage is not None else "",
                resource_path=method.resource_path if method is not None else "",
                api_key_id=context.api_key_id,
                integration_request_id=context.integration_request_id,
                error=context.error,
                error_detail=context.error_detail,
            )
        )
        if stage is None:
            return
        key = (stage.api.name, stage.name)
        of = self._dimensions.get(key)
        if of is None:
            name = ("ApiName", stage.api.name)
            of = self._dimensions[key] = ((name,), (name, ("Stage", stage.name)))
        status, add = response.status, self._metrics.add
        for dimensions in of:
            add("Count", 1.0, dimensions)
            add("4XXError", 1.0 if 400 <= status < 500 else 0.0, dimensions)
            add("5XXError", 1.0 if status >= 500 else 0.0, dimensions)
            add("Latency", duration_ms, dimensions, "Milliseconds")
            if context.integration_ms is not None:
                add("IntegrationLatency", context.integration_ms, dimensions, "Milliseconds")


UNDEPLOYED = ("Resource", "Method", "Integration", "Model", "Authorizer", "Validator", "Documentation", "Account")


def _parts_of(action: str) -> frozenset[str]:
    """What a change may have altered of what is served; edits that are not deployed alter nothing."""
    if "UsagePlan" in action or "ApiKey" in action:
        return frozenset({KEYS})
    if "DomainName" in action or "BasePathMapping" in action:
        return frozenset({DOMAINS})
    if any(word in action for word in ("RestApi", "Stage", "Deployment")):
        return frozenset({STAGES})
    if any(word in action for word in UNDEPLOYED) or "Tag" in action:
        return frozenset()
    return EVERYTHING
