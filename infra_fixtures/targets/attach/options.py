"""The option that only the attach target knows, and the names under which its journal keeps what a healer must know."""

from __future__ import annotations

from infra_fixtures.targets.target_config import Option

TOPOLOGY = "topology"
SYSTEM = "system"
"""The system's name for its lock: the URL that its users know."""
ENVIRONMENT = "environment"
"""Names of the variables that commands are given."""

OPTIONS = (Option("--topology", "attach: the TOML file that describes the system (docs/attach.md)"),)
