"""Every fault there is: one file each in this folder, whose class is called as the file is."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from pathlib import Path

from infra_fixtures.faults.fault import Fault


@functools.cache
def catalogue() -> dict[str, type[Fault]]:
    """The faults by name."""
    package = __package__ or ""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"{package}.{module.name}")
    return {str(kind.__struct_config__.tag): kind for kind in sorted(Fault.__subclasses__(), key=lambda k: k.__name__)
            if kind.__module__.startswith(package)}  # fmt: skip
