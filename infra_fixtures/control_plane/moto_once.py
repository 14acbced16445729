"""What moto works out again and again, worked out once, and what it loads for other systems than a run's, left until asked.

Nothing here changes an answer that a run can ask for. It is applied before moto's services are imported, since they take
these functions by name.
"""

from __future__ import annotations

import functools
import gzip
import importlib.resources
import os
import sys
import threading
import types
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import msgspec
from werkzeug.routing import Rule

from infra_fixtures import aws_models
from infra_fixtures.control_plane.overlays.patching import replaces


def apply(regions: Collection[str]) -> None:
    """Apply all of it to this process, which serves `regions`."""
    os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # a run's system has no EC2 instances
    aws_models.read_fast()
    _list_methods_once()
    _build_routers_once()
    _compile_url_builders_late()
    _read_resources(frozenset(regions))
    _validate_specs_late()


def _list_methods_once() -> None:
    """Every call inspects all members of its service's class: a millisecond for EC2's."""
    from moto.core import responses, utils

    replaces(responses, "method_names_from_class")(functools.cache(utils.method_names_from_class))


def _build_routers_once() -> None:
    """The first calls of a service come together, and each would build the service's router."""
    from moto.core.routing import ProtocolRouter, ServiceOperationRouter

    build, lock = ServiceOperationRouter._get_router, threading.Lock()

    @replaces(ServiceOperationRouter, "_get_router")
    def get_router(self: ServiceOperationRouter, protocol: str) -> ProtocolRouter:
        known = self._routers.get(protocol)
        if known is not None:
            return known
        with lock:
            return build(self, protocol)


def _compile_url_builders_late() -> None:
    """werkzeug compiles two functions for every rule, to make a URL of it; moto only ever matches."""
    compile_now = Rule._compile_builder

    @replaces(Rule, "_compile_builder")
    def compile_late(self: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            return compile_now(rule, append_unknown)(rule, **values)

        return build


def _read_resources(regions: frozenset[str]) -> None:
    """EC2's instance types are megabytes of JSON, and what is offered in each of the world's regions as much again."""
    from moto.utilities import utils

    @replaces(utils, "load_resource")
    def load_resource(resource: str) -> Any:
        if "/instance_type_offerings/" in resource and Path(resource).name.partition(".")[0] not in regions:
            return []
        directory = importlib.resources.files("moto")
        packed = directory / (resource if resource.endswith(".gz") else f"{resource}.gz")
        if packed.is_file():
            return msgspec.json.decode(gzip.decompress(packed.read_bytes()))
        return msgspec.json.decode((directory / resource).read_bytes())


def _validate_specs_late() -> None:
    """API Gateway's code brings in a validator of OpenAPI documents, 0.2 s of imports; only an import of an API asks it."""
    package, exceptions = (types.ModuleType(f"openapi_spec_validator{part}") for part in ("", ".validation.exceptions"))

    class OpenAPIValidationError(Exception):
        """As the true one, whose class is not there before a document was validated."""

        def __init__(self, message: str) -> None:
            super().__init__(message)
            self.message = message

    @functools.cache
    def true_ones() -> tuple[Callable[[Any], None], type[Exception]]:
        for module in (package, exceptions):
            del sys.modules[module.__name__]
        from openapi_spec_validator import validate as check
        from openapi_spec_validator.validation.exceptions import OpenAPIValidationError as Invalid

        return check, Invalid

    def validate(document: Any) -> None:
        check, invalid = true_ones()
        try:
            check(document)
        except invalid as e:
            raise OpenAPIValidationError(str(getattr(e, "message", e))) from e

    package.validate = validate  # type: ignore[attr-defined]
    exceptions.OpenAPIValidationError = OpenAPIValidationError  # type: ignore[attr-defined]
    for module in (package, exceptions):
        sys.modules[module.__name__] = module
