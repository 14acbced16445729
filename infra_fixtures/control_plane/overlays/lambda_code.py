"""Lambda's code really can be fetched, and its concurrency settings are kept and read back.

moto gives a Code.Location that leads nowhere, and loses a reserved concurrency of 0 on the way to GetFunction.
"""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote, unquote

from moto.awslambda.models import LambdaFunction, lambda_backends
from moto.awslambda.responses import LambdaResponse

from infra_fixtures.control_plane import code_link
from infra_fixtures.control_plane.overlays.patching import replaces
from infra_fixtures.run_layout import RunLayout


def apply(layout: RunLayout) -> None:
    """Mend moto's functions."""
    replaces(LambdaFunction, "get_code")(_locating(LambdaFunction.get_code, layout))
    replaces(LambdaResponse, "get_function_concurrency")(_concurrency)


def code_of(account_id: str, region: str, function: str, code_sha256: str) -> bytes:
    """The zip of a function whose digest is `code_sha256` (hexadecimal). KeyError where there is none."""
    backend = lambda_backends[account_id][region]
    for found in backend.list_functions("ALL"):
        if found.function_name == function and _hex(found) == code_sha256:
            return found.code_bytes
    raise KeyError(function)


def _hex(function: LambdaFunction) -> str:
    return base64.b64decode(function.code_sha_256).hex()


def _locating(original: Any, layout: RunLayout) -> Any:
    def get_code(self: LambdaFunction) -> dict[str, Any]:
        """GetFunction; on AWS the location is a presigned URL, valid for ten minutes."""
        answer: dict[str, Any] = original(self)
        if "Location" in answer.get("Code", {}) and self.code_bytes:
            path = f"/_drill/lambda/{self.region}/functions/{quote(self.function_name)}/code/{_hex(self)}"
            answer["Code"]["Location"] = layout.internal.url + code_link.signed(path, layout.credentials)
        if self.reserved_concurrency is not None:
            answer["Concurrency"] = {"ReservedConcurrentExecutions": int(self.reserved_concurrency)}
        return answer

    return get_code


def _concurrency(self: LambdaResponse) -> tuple[int, dict[str, str], str]:
    """GetFunctionConcurrency: an empty answer where none is reserved."""
    function = self.backend.get_function(_function_name(self.path))
    reserved = function.reserved_concurrency
    return 200, {}, json.dumps({} if reserved is None else {"ReservedConcurrentExecutions": int(reserved)})


def _function_name(path: str) -> str:
    return unquote(path.split("/functions/", 1)[1].split("/", 1)[0])
