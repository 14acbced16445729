"""botocore's descriptions of AWS's services: megabytes of JSON, read once a process and by the fast parser.

botocore reads them with the standard library, once a session, and so does moto for each of its regions: without this a run
spent more time on reading EC2's description than on making its networks.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
from typing import Any

import msgspec
from botocore.loaders import JSONFileLoader


@functools.cache
def _read(file_path: str) -> Any:
    for ending, opener in ((".json", open), (".json.gz", gzip.open)):
        with contextlib.suppress(FileNotFoundError), opener(file_path + ending, "rb") as model:
            return msgspec.json.decode(model.read())
    return None


def read_fast() -> None:
    """Have every session of this process read its models so."""
    JSONFileLoader.load_file = lambda _, file_path: _read(file_path)
