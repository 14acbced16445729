"""An Automation document: its parameters, its steps, and the references in them.

https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-documents.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_REFERENCE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")

STEP_ACTIONS = frozenset(
    {
        "aws:assertAwsResourceProperty", "aws:branch", "aws:executeAwsApi", "aws:executeScript", "aws:sleep",
        "aws:waitForAwsResourceProperty",
    }
)  # fmt: skip


class DocumentRefused(Exception):
    """A document or its parameters are not such that they can be executed; `code` is Systems Manager's exception."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Document:
    """A document's content, and its name."""

    name: str
    content: Mapping[str, Any]

    @property
    def steps(self) -> Sequence[Mapping[str, Any]]:
        """Its steps in their order."""
        steps: Sequence[Mapping[str, Any]] = self.content.get("mainSteps") or ()
        return steps

    def require_executable(self) -> None:
        """Raise DocumentRefused where a step does what this model cannot do: before any of it is done."""
        if self.content.get("schemaVersion") != "0.3":
            raise DocumentRefused("InvalidDocumentType", f"{self.name} is not an Automation document.")
        for step in self.steps:
            if step["action"] not in STEP_ACTIONS:
                raise DocumentRefused(
                    "NotImplemented",
                    f"Step {step['name']} of {self.name} is {step['action']}, which this model of AWS does not execute.",
                )

    def parameters(self, given: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """The values of all parameters; raises DocumentRefused for what is missing, unknown or not allowed."""
        declared = self.content.get("parameters") or {}
        code = "InvalidAutomationExecutionParametersException"
        if unknown := sorted(given.keys() - declared.keys()):
            raise DocumentRefused(code, f"Parameters that {self.name} does not have: {', '.join(unknown)}.")
        values = {}
        for name, parameter in declared.items():
            if name not in given and "default" not in parameter:
                raise DocumentRefused(code, f"Parameter {name} of {self.name} is required.")
            value = _typed(parameter.get("type", "String"), given[name]) if name in given else parameter["default"]
            allowed = parameter.get("allowedValues")
            if allowed and any(v not in allowed for v in (value if isinstance(value, list) else [value])):
                raise DocumentRefused(
                    code, f"Parameter {name} of {self.name} may be one of {', '.join(map(str, allowed))}."
                )
            values[name] = value
        return values


def references(value: Any) -> set[str]:
    """What a value refers to."""
    if isinstance(value, str):
        return set(_REFERENCE.findall(value))
    if isinstance(value, Mapping):
        return {r for v in value.values() for r in references(v)}
    if isinstance(value, (list, tuple)):
        return {r for v in value for r in references(v)}
    return set()


def filled(value: Any, known: Mapping[str, Any]) -> Any:
    """A value with its references replaced; one that is nothing but a reference takes the type of what it refers to.

    What nothing is known of stays as it is written.
    """
    if isinstance(value, str):
        if (whole := _REFERENCE.fullmatch(value.strip())) and whole[1] in known:
            return known[whole[1]]
        return _REFERENCE.sub(lambda m: _text(known[m[1]]) if m[1] in known else m[0], value)
    if isinstance(value, Mapping):
        return {k: filled(v, known) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [filled(v, known) for v in value]
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _typed(kind: str, given: Sequence[str]) -> Any:
    """A parameter's value: StartAutomationExecution gives each as a list of strings."""
    if kind == "StringList" or kind.startswith("List<"):
        return list(given)
    text = given[0] if given else ""
    if kind == "Integer":
        return int(text)
    if kind == "Boolean":
        return text.lower() == "true"
    if kind in ("StringMap", "MapList"):
        return json.loads(text)
    return text
