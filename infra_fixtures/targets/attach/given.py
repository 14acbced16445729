"""What a run was given: the description as it was read then, and the application's contract beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drill.unusable import UnusableInput
from infra_fixtures.targets.attach.description import Description
from infra_fixtures.targets.attach.options import TOPOLOGY
from traffic.contract import Contract
from traffic.contract_file import read_contract


def described(options: Mapping[str, Any]) -> Description:
    """The description, as it stood when the run began; raises UnusableInput."""
    given = options.get(TOPOLOGY)
    if not given:
        raise UnusableInput(
            "--target attach needs --topology FILE.toml, the description of the system (docs/attach.md)"
        )
    return Description.parse(given["text"], source=given["path"])


def beside(options: Mapping[str, Any]) -> Path:
    """The directory of the description, which its paths count from."""
    return Path(options[TOPOLOGY]["path"]).parent


def contract_of(options: Mapping[str, Any]) -> Contract:
    """The application's contract, once it fits the description and its secrets are there; raises UnusableInput."""
    found = described(options)
    contract = read_contract(beside(options) / found.workload)
    if contract.survivors.objects is not None:
        raise UnusableInput(
            f"{found.workload}: survivors.objects needs buckets, and this topology has none: leave it away"
        )
    lacking = [s.name for s in found.sites if s.database is None] if contract.survivors.rows is not None else []
    if lacking:
        raise UnusableInput(
            f"{options[TOPOLOGY]['path']}: {found.workload} reads survivors.rows, and the site {lacking[0]} has no table "
            "database: add it"
        )
    contract.secrets()
    return contract
