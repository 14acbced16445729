"""The option that only the attach target knows."""

from __future__ import annotations

from infra_fixtures.targets.guard_options import GUARD_OPTIONS
from infra_fixtures.targets.target_config import Option

TOPOLOGY = "topology"

OPTIONS = (
    *GUARD_OPTIONS,
    Option(
        f"--{TOPOLOGY}",
        "attach: the TOML file that describes the system (docs/attach.md)",
        content=True,
        remedy="give the TOML file that describes the system (docs/attach.md)",
    ),
)
