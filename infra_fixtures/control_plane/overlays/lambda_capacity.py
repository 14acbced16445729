"""What Lambda has beyond a function's own settings: provisioned concurrency and the account's limits.

moto has neither. https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import moto.awslambda.urls as lambda_urls
from moto.awslambda.exceptions import InvalidParameterValueException, LambdaClientError
from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.awslambda.responses import LambdaResponse

from infra_fixtures.control_plane.overlays.patching import adds, replaces
from infra_fixtures.run_layout import RunLayout

ACCOUNT_CONCURRENCY = 1000
UNRESERVED_MINIMUM = 100
"""An account's concurrent executions in a region by default, and what reservations must leave of them."""

CODE_SIZE_ZIPPED, CODE_SIZE_UNZIPPED, TOTAL_CODE_SIZE = 52_428_800, 262_144_000, 80_530_636_800
"""Bytes; https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""

_PATHS = (
    r"{0}/(?P<api_version>[^/]+)/functions/(?P<function_name>[\w_:%-]+)/provisioned-concurrency/?$",
    r"{0}/(?P<api_version>[^/]+)/account-settings/?$",
)

Answer = tuple[int, dict[str, Any], str]


class ProvisionedConcurrencyConfigNotFound(LambdaClientError):
    """The alias or version has no provisioned concurrency."""

    code = 404

    def __init__(self) -> None:
        super().__init__(
            "ProvisionedConcurrencyConfigNotFoundException",
            "No Provisioned Concurrency Config found for this function",
        )


def apply(layout: RunLayout) -> None:
    """Give moto what it lacks of Lambda's capacity."""
    replaces(LambdaBackend, "put_function_concurrency")(_reserving(LambdaBackend.put_function_concurrency))
    adds(LambdaResponse, "get_account_settings")(_account_settings)
    adds(LambdaResponse, "put_provisioned_concurrency_config")(_put)
    adds(LambdaResponse, "get_provisioned_concurrency_config")(_get)
    adds(LambdaResponse, "delete_provisioned_concurrency_config")(_delete)
    adds(LambdaResponse, "list_provisioned_concurrency_configs")(_list)
    for path in _PATHS:
        lambda_urls.url_paths[path] = LambdaResponse.dispatch


def _reserving(original: Any) -> Any:
    def put_function_concurrency(self: LambdaBackend, function_name: str, reserved_concurrency: Any) -> Any:
        """Refuse a reservation that leaves the account less than 100 unreserved, as AWS does."""
        wanted = int(reserved_concurrency)
        others = _reserved(self, but=self.get_function(function_name).function_name)
        if ACCOUNT_CONCURRENCY - others - wanted < UNRESERVED_MINIMUM:
            raise InvalidParameterValueException(
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
                f"below its minimum value of [{UNRESERVED_MINIMUM}]."
            )
        return original(self, function_name, wanted)

    return put_function_concurrency


def _reserved(backend: LambdaBackend, but: str = "") -> int:
    return sum(int(f.reserved_concurrency or 0) for f in backend.list_functions() if f.function_name != but)


def _account_settings(self: LambdaResponse) -> Answer:
    functions = list(self.backend.list_functions())
    return _answer(
        {
            "AccountLimit": {
                "TotalCodeSize": TOTAL_CODE_SIZE,
                "CodeSizeUnzipped": CODE_SIZE_UNZIPPED,
                "CodeSizeZipped": CODE_SIZE_ZIPPED,
                "ConcurrentExecutions": ACCOUNT_CONCURRENCY,
                "UnreservedConcurrentExecutions": ACCOUNT_CONCURRENCY - _reserved(self.backend),
            },
            "AccountUsage": {"TotalCodeSize": sum(f.code_size for f in functions), "FunctionCount": len(functions)},
        }
    )


def _put(self: LambdaResponse) -> Answer:
    """Provision for a version or an alias; never for $LATEST."""
    function, qualifier = _function_and_qualifier(self)
    wanted = int(json.loads(self.body)["ProvisionedConcurrentExecutions"])
    if qualifier in {"", "$LATEST"}:
        raise InvalidParameterValueException(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        )
    if wanted < 1:
        raise InvalidParameterValueException("ProvisionedConcurrentExecutions must be at least 1.")
    if function.reserved_concurrency is not None and wanted > int(function.reserved_concurrency):
        raise InvalidParameterValueException(
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function"
        )
    _configs(function)[qualifier] = {"wanted": wanted, "modified": datetime.now(UTC).isoformat(timespec="milliseconds")}
    return _answer(_described(function, qualifier), 202)


def _get(self: LambdaResponse) -> Answer:
    function, qualifier = _function_and_qualifier(self)
    if self.querystring.get("List"):
        return _list(self)
    if qualifier not in _configs(function):
        raise ProvisionedConcurrencyConfigNotFound
    return _answer(_described(function, qualifier))


def _delete(self: LambdaResponse) -> Answer:
    function, qualifier = _function_and_qualifier(self)
    if _configs(function).pop(qualifier, None) is None:
        raise ProvisionedConcurrencyConfigNotFound
    return 204, {"status": 204}, ""


def _list(self: LambdaResponse) -> Answer:
    function, _ = _function_and_qualifier(self)
    found = [
        {**_described(function, q), "FunctionArn": f"{function.function_arn}:{q}"} for q in sorted(_configs(function))
    ]
    return _answer({"ProvisionedConcurrencyConfigs": found})


def _function_and_qualifier(response: LambdaResponse) -> tuple[LambdaFunction, str]:
    name = unquote(response.path.split("/functions/", 1)[1].split("/", 1)[0])
    qualifier = response.querystring.get("Qualifier", [""])[0]
    function = response.backend.get_function(name)
    if qualifier not in {"", "$LATEST"}:
        response.backend.get_function(name, qualifier)  # raises where there is no such version or alias
    return function, qualifier


def _configs(function: LambdaFunction) -> dict[str, dict[str, Any]]:
    configs: dict[str, dict[str, Any]] = function.__dict__.setdefault("provisioned_concurrency", {})
    return configs


def _described(function: LambdaFunction, qualifier: str) -> dict[str, Any]:
    config = _configs(function)[qualifier]
    wanted = config["wanted"]
    return {
        "RequestedProvisionedConcurrentExecutions": wanted,
        "AvailableProvisionedConcurrentExecutions": wanted,
        "AllocatedProvisionedConcurrentExecutions": wanted,
        "Status": "READY",
        "LastModified": config["modified"],
    }


def _answer(body: dict[str, Any], status: int = 200) -> Answer:
    return status, {"status": status, "content-type": "application/json"}, json.dumps(body)
