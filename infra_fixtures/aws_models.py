"""botocore's descriptions of AWS's services: megabytes of JSON, read by the fast parser.

botocore reads them with the standard library, once a session, and looks into 400 directories to learn which services there
are; moto does so for each of its services.
"""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterator
from typing import Any

import msgspec
from botocore.exceptions import DataNotFoundError
from botocore.loaders import JSONFileLoader, Loader

_list_services = Loader.list_available_services


def read_fast() -> None:
    """Have every session of this process read its models so."""
    JSONFileLoader.load_file = lambda _, file_path: _read(file_path)
    Loader.list_available_services = lambda loader, type_name: _Services(loader, type_name)


def _read(file_path: str) -> Any:
    """A description of its reader's own: botocore rewrites S3's when it makes a client."""
    for ending, opener in ((".json", open), (".json.gz", gzip.open)):
        with contextlib.suppress(FileNotFoundError), opener(file_path + ending, "rb") as model:
            return msgspec.json.decode(model.read())
    return None


class _Services:
    """The services that a loader has descriptions of: whether one is among them costs a look at its own directory."""

    def __init__(self, loader: Loader, type_name: str) -> None:
        self._loader = loader
        self._type_name = type_name

    def __contains__(self, service: str) -> bool:
        try:
            self._loader.list_api_versions(service, self._type_name)
        except DataNotFoundError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(_list_services(self._loader, self._type_name))
