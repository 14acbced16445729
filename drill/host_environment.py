"""What of the host's environment variables holds for a run: one list, for the harness itself and for all that it starts.

Every layer starts processes or uses a library that reads variables (boto3, urllib, git, matplotlib, PostgreSQL's client),
so the list is in the core, which all of them may import. It is pure: it is given the variables and looks at none itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, MutableMapping

KEPT = (
    "PATH",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",
    "OPENBLAS_CORETYPE",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONPYCACHEPREFIX",
)
"""All that a process of a run has of the host: where programs and scratch files are, and what the processor can do."""

LOCALE = {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}
"""Words sort, numbers print and files decode alike on every machine."""

TOOLS = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "ALLURE_NO_ANALYTICS": "true",
}
"""Whoever runs the harness may have told these programs something for other work: it is not for this."""

PYTEST = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")
PYTHON = (
    "PYTHONASYNCIODEBUG",
    "PYTHONDEVMODE",
    "PYTHONINSPECT",
    "PYTHONIOENCODING",
    "PYTHONOPTIMIZE",
    "PYTHONSAFEPATH",
    "PYTHONSTARTUP",
    "PYTHONTRACEMALLOC",
    "PYTHONWARNINGS",
)
STARTED_WITH = frozenset({*PYTEST, *PYTHON})
"""Read once, when Python or pytest starts: too late to take away from one that runs."""

FOREIGN = re.compile(
    r"GIT_|MPLBACKEND$|MATPLOTLIBRC$|PG[A-Z]+$|ALLURE_|NODE_OPTIONS$|npm_config_|LOCUST_|MOTO_|TYPST_|LC_|LANG(UAGE)?$"
)
"""Settings of git, matplotlib, PostgreSQL's client, Allure, Node, Locust, moto, Typst and the locale."""

NETWORK = re.compile(r"(?:https?|ftp|all|no|socks|socks5)_proxy$|AWS_|BOTO|NETRC$", re.IGNORECASE)
"""How the host reaches the world, and who it is there: proxies, credentials, profiles, endpoints."""
NO_CREDENTIALS = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def child_environment(host: Mapping[str, str], **more: str) -> dict[str, str]:
    """The whole environment of a process that a run starts: nothing of the host's but KEPT; `more` goes before all."""
    return {**{name: host[name] for name in KEPT if name in host}, **LOCALE, **TOOLS, **NO_CREDENTIALS, **more}


def settle(own: MutableMapping[str, str]) -> None:
    """Take out of the harness's own environment what was meant for other work; the terminal's settings stay."""
    for name in [name for name in own if FOREIGN.match(name) or name in STARTED_WITH]:
        del own[name]
    own.update(LOCALE | TOOLS)


def keep_to_this_machine(own: MutableMapping[str, str]) -> None:
    """Take the way to the world out of the harness's own environment: where all stands on this machine none is needed."""
    for name in [name for name in own if NETWORK.match(name)]:
        del own[name]
    own.update(NO_CREDENTIALS)


def restart_environment(own: Mapping[str, str], *, is_utf8: bool) -> dict[str, str] | None:
    """What Python must be started with again, None where it was started as it should be."""
    wanted = {name: value for name, value in own.items() if name not in STARTED_WITH}
    if not is_utf8:
        wanted["PYTHONUTF8"] = LOCALE["PYTHONUTF8"]
    return wanted if wanted != dict(own) else None
