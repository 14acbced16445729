"""What the localstack target can be told, on the command line or by the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drill.unusable import UnusableInput
from infra_fixtures.global_services import GLOBAL
from infra_fixtures.targets.localstack.loopback import refuse_public
from infra_fixtures.targets.target_config import Option

PYTHON_VARIABLE = "LOCALSTACK_PYTHON"
URLS_VARIABLE = "LOCALSTACK_URLS"
EVERYWHERE = "all"

OPTIONS = (
    Option(
        "--localstack-shared",
        "localstack: one LocalStack for all regions instead of one a region and one for global services",
        switch=True,
    ),
    Option(
        "--localstack-endpoint",
        f"localstack: use the LocalStack at WHERE=URL instead of starting one; WHERE is a region, {GLOBAL} or "
        f"{EVERYWHERE}; may be given several times (default: {URLS_VARIABLE}, separated by commas)",
        many=True,
        variable=URLS_VARIABLE,
    ),
    Option(
        "--localstack-python",
        f"localstack: the Python 3.13 that LocalStack runs on (default: {PYTHON_VARIABLE}, or python3.13 where found)",
        variable=PYTHON_VARIABLE,
    ),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The options, read: `urls` by region, `global` or `all`."""

    shared: bool
    urls: Mapping[str, str]
    python: Path | None

    @classmethod
    def read(cls, options: Mapping[str, Any], regions: tuple[str, ...]) -> Settings:
        """Take what was given; raises UnusableInput."""
        given, python = options.get("localstack_endpoint") or (), options.get("localstack_python")
        urls = dict(_endpoint(text, (*regions, GLOBAL, EVERYWHERE)) for text in given)
        if urls and EVERYWHERE not in urls and (missing := sorted({*regions, GLOBAL} - urls.keys())):
            raise UnusableInput(
                f"--localstack-endpoint says nothing for {', '.join(missing)}: give one for each of "
                f"{', '.join((*regions, GLOBAL))}, or one for {EVERYWHERE}"
            )
        return cls(bool(options.get("localstack_shared")), urls, Path(python) if python else None)


def _endpoint(text: str, known: tuple[str, ...]) -> tuple[str, str]:
    where, _, url = text.partition("=")
    if where not in known or not url.startswith(("http://", "https://")):
        raise UnusableInput(
            f"--localstack-endpoint {text} is not WHERE=URL: WHERE is one of {', '.join(known)}, URL begins with http"
        )
    refuse_public(url)
    return where, url.rstrip("/")
