"""The options of every target that touches a real account; a row that includes them is one."""

from __future__ import annotations

from infra_fixtures.targets.target_config import Option

GUARD_OPTIONS = (
    Option(
        "--gameday", "aws, attach: the TOML file that says what may be touched (docs/gameday-file.md)", content=True
    ),
    Option(
        "--yes", "aws, attach: the account id, by which you agree to the plan where there is no terminal to ask you"
    ),
    Option(
        "--accept-finding",
        "aws, attach: the name of a check of the preflight whose refusal is known and accepted (docs/permissions.md)",
        many=True,
    ),
    Option("--dry-run", "aws, attach: print the plan, change nothing, and end", switch=True),
)
