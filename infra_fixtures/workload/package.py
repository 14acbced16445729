"""The functions' zips: self-contained, platform-independent, and the same bytes wherever they are built.

The order API brings a pure-Python PostgreSQL driver along; boto3 is Lambda's own. Metadata is included because pg8000
asks importlib.metadata for its version when imported.
"""

from __future__ import annotations

import functools
import importlib.metadata
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from infra_fixtures.run_layout import REPOSITORY

ORDER_API, CONTROLLER, CANARY, READER = "order_api", "failover_controller", "canary", "reader"
DRIVER = ("pg8000", "scramp", "asn1crypto", "python-dateutil", "six")
"""pg8000 and what it needs; every one is pure Python."""

_WORKLOAD = "infra_fixtures/workload"
_MODULES = {
    ORDER_API: (f"{_WORKLOAD}/order_api.py", f"{_WORKLOAD}/database.py"),
    CONTROLLER: (f"{_WORKLOAD}/failover_controller.py", "drill/__init__.py", "drill/wait.py"),
    CANARY: (f"{_WORKLOAD}/canary.py",),
    READER: (f"{_WORKLOAD}/reader.py", f"{_WORKLOAD}/database.py"),
}
_COMMON = ("infra_fixtures/__init__.py", f"{_WORKLOAD}/__init__.py", f"{_WORKLOAD}/log_line.py")
_EPOCH = (1980, 1, 1, 0, 0, 0)


class NotPortable(Exception):
    """A package that would go into a zip is compiled for one platform; the message names the file."""


def handler_of(function: str) -> str:
    """The handler setting of a function of this package: module path and name."""
    return f"infra_fixtures.workload.{function}.handler"


@functools.cache
def build(function: str) -> bytes:
    """The zip of a function; the same sources give the same bytes."""
    files = {name: (REPOSITORY / name).read_bytes() for name in (*_COMMON, *_MODULES[function])}
    if function in (ORDER_API, READER):
        for distribution in DRIVER:
            files.update(_installed(distribution))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as z:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            z.writestr(entry, files[name])
    return archive.getvalue()


def _installed(distribution: str) -> Iterator[tuple[str, bytes]]:
    """What a distribution consists of, without caches and scripts."""
    for path in importlib.metadata.files(distribution) or ():
        if path.suffix in {".so", ".pyd", ".dylib"}:
            raise NotPortable(f"{distribution} is compiled ({path}): a Lambda zip needs pure Python")
        name = path.as_posix()
        if name.startswith("..") or "__pycache__" in name or not _needed(path.parts[0], Path(name)):
            continue
        yield name, Path(str(path.locate())).read_bytes()


def _needed(top: str, path: Path) -> bool:
    return path.name == "METADATA" if top.endswith(".dist-info") else path.suffix == ".py"
