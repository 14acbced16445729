"""A description as the outputs of infrastructure code: `terraform output -json` (or `tofu`), CloudFormation's describe-stacks.

Either one output, `failover_drill` or `FailoverDrill`, holds the whole description as an object or as JSON text; or an output
for each place of it is called by that place, after `drill`: `drill_primary_url` or `DrillPrimaryUrl` is url of [primary].
"""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Mapping
from typing import Any

import msgspec

from drill.unusable import UnusableInput

WHOLE, PREFIX = "failoverdrill", "drill"


def is_outputs(text: str) -> bool:
    """Whether it is JSON, and no TOML."""
    return text.lstrip().startswith("{")


def tables_of_outputs(text: str, kind: type[msgspec.Struct], *, source: str) -> dict[str, Any]:
    """The tables of a description; raises UnusableInput where they hold none."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise UnusableInput(f"{source} begins as JSON and is none ({e}): give it as the tool wrote it") from e
    flat = {_plain(name): value for name, value in _named(said, source).items()}
    if WHOLE in flat:
        whole = flat[WHOLE]
        found = _json(whole, source) if isinstance(whole, str) else whole
        if not isinstance(found, dict):
            raise UnusableInput(f"{source}: the output failover_drill is no object: give the tables of a description")
        return found
    tables = placed(flat, kind)
    if not tables:
        raise UnusableInput(
            f"{source} has no output failover_drill, and none whose name begins with drill_: add one (docs/attach.md)"
        )
    return tables


def placed(flat: Mapping[str, Any], kind: type[msgspec.Struct], path: str = PREFIX) -> dict[str, Any]:
    """The values whose names are places of the struct, in their tables; a text for a list is split at its commas."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        own = path + _plain(field.encode_name)
        table = _struct_in(field.type)
        if own in flat:
            value = flat[own]
            is_list = isinstance(value, str) and "tuple" in str(field.type)
            found[field.encode_name] = [part.strip() for part in value.split(",")] if is_list else value
        elif table is not None and (inner := placed(flat, table, own)):
            found[field.encode_name] = inner
    return found


def _named(said: Any, source: str) -> dict[str, Any]:
    """Terraform: {NAME: {"value": ...}}; CloudFormation: {"Stacks": [{"Outputs": [{"OutputKey": ..., "OutputValue": ...}]}]}."""
    if not isinstance(said, dict):
        raise UnusableInput(f"{source} is no object: give the output of `terraform output -json` or describe-stacks")
    if "Stacks" in said:
        outputs = [o for stack in said["Stacks"] for o in stack.get("Outputs") or ()]
        return {str(o["OutputKey"]): o["OutputValue"] for o in outputs}
    secret = [name for name, o in said.items() if isinstance(o, dict) and o.get("sensitive") and PREFIX in name]
    if secret:
        raise UnusableInput(f"{source}: the output {secret[0]} is sensitive: no secret belongs in a description")
    return {name: o["value"] for name, o in said.items() if isinstance(o, dict) and "value" in o}


def _json(text: str, source: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as e:
        raise UnusableInput(f"{source}: the output failover_drill is no JSON ({e})") from e


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    """The table that a field holds, where it holds one."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return next((table for arm in typing.get_args(kind) if (table := _struct_in(arm)) is not None), None)
    return None
