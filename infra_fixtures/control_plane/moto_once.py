"""What moto works out again and again, worked out once: more than half of what standing up a system took was this.

Nothing here changes an answer. It is applied before moto's services are imported, since they take these functions by name.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import importlib.resources
import threading
from collections.abc import Callable
from typing import Any

import msgspec
from botocore.loaders import JSONFileLoader
from werkzeug.routing import Rule


def apply() -> None:
    """Apply all of it to this process."""
    _read_models_once()
    _list_methods_once()
    _build_routers_once()
    _never_build_urls()
    _read_resources_fast()


def _read_models_once() -> None:
    """moto asks for a service's regions in a new session for each of its partitions; every answer costs a whole model."""

    @functools.cache
    def read(file_path: str) -> Any:
        for ending, opener in ((".json", open), (".json.gz", gzip.open)):
            with contextlib.suppress(FileNotFoundError), opener(file_path + ending, "rb") as model:
                return msgspec.json.decode(model.read())
        return None

    JSONFileLoader.load_file = lambda _, file_path: read(file_path)


def _list_methods_once() -> None:
    """Every call inspects all members of its service's class: a millisecond for EC2's."""
    from moto.core import responses, utils

    responses.method_names_from_class = functools.cache(utils.method_names_from_class)


def _build_routers_once() -> None:
    """The first calls of a service come together, and each would build the service's router."""
    from moto.core.routing import ProtocolRouter, ServiceOperationRouter

    build, turn = ServiceOperationRouter._get_router, threading.Lock()

    def get_router(self: ServiceOperationRouter, protocol: str) -> ProtocolRouter:
        known = self._routers.get(protocol)
        if known is not None:
            return known
        with turn:
            return build(self, protocol)

    ServiceOperationRouter._get_router = get_router  # type: ignore[method-assign]


def _never_build_urls() -> None:
    """werkzeug compiles two functions for every rule, to make a URL of it; moto only ever matches."""

    def compile_builder(self: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        def refuse(rule: Rule, **values: Any) -> tuple[str, str]:
            raise NotImplementedError(f"no URL is built from {rule}")

        return refuse

    Rule._compile_builder = compile_builder  # type: ignore[method-assign]


def _read_resources_fast() -> None:
    """EC2's instance types are megabytes of JSON."""
    from moto.utilities import utils

    def load_resource(resource: str) -> Any:
        directory = importlib.resources.files("moto")
        packed = directory / (resource if resource.endswith(".gz") else f"{resource}.gz")
        if packed.is_file():
            return msgspec.json.decode(gzip.decompress(packed.read_bytes()))
        return msgspec.json.decode((directory / resource).read_bytes())

    utils.load_resource = load_resource
