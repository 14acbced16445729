"""An experiment template in a file, as `aws fis create-experiment-template --cli-input-json` takes it.

Templates that people share hold words to be replaced, such as <YOUR AWS ACCOUNT>
(https://github.com/aws-samples/fis-template-library). One that is left is refused: AWS would take it for a name.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import botocore.session
import msgspec
from botocore.validate import ParamValidator

from drill.plain_file import read_bytes
from drill.unusable import UnusableInput

MOST_BYTES = 2**20
PLACEHOLDER = re.compile(r"<[A-Z][A-Z0-9 _-]*>")
OPERATION = "CreateExperimentTemplate"


class Substitution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Wherever `text` stands in a template, `by` is written: words, or {account}, {region}, {primary}, {standby},
    {run_id} of the system that stands."""

    text: str
    by: str

    def __post_init__(self) -> None:
        """ValueError for what would stand everywhere."""
        if not self.text:
            raise ValueError("a substitution needs the text that it replaces")


def read_template(path: Path) -> dict[str, Any]:
    """The file's parameters of CreateExperimentTemplate; UnusableInput in one sentence."""
    try:
        content = read_bytes(path, MOST_BYTES)
        found = None if content is None else msgspec.json.decode(content)
    except msgspec.DecodeError as e:
        raise UnusableInput(f"the FIS template {path} is not JSON ({e}): give one that AWS's CLI takes") from e
    if content is None:
        raise UnusableInput(f"the FIS template {path} is not there: give a JSON file")
    if not isinstance(found, dict):
        raise UnusableInput(f"the FIS template {path} is no JSON object: give one that AWS's CLI takes")
    return found


def filled_in(template: Any, replaced: Mapping[str, str]) -> Any:
    """The template with each text replaced, in names too."""
    match template:
        case str():
            for text, by in replaced.items():
                template = template.replace(text, by)
            return template
        case dict():
            return {filled_in(name, replaced): filled_in(value, replaced) for name, value in template.items()}
        case list():
            return [filled_in(value, replaced) for value in template]
        case _:
            return template


def placeholders(template: Any) -> list[str]:
    """The words that are still to be replaced, in order."""
    return sorted({word for text in _texts(template) for word in PLACEHOLDER.findall(text)})


def refuse_what_aws_would(template: Mapping[str, Any], source: str) -> None:
    """UnusableInput for a placeholder that is left, and for what botocore's model of FIS does not know."""
    if left := placeholders(template):
        raise UnusableInput(f"{source} still has {', '.join(left)}: say with `substitute` what stands there")
    shape = create_shape()
    given = {"clientToken": "given-by-botocore", **template}
    unknown = sorted(given.keys() - shape.members.keys())
    if unknown:
        raise UnusableInput(f"{source} has {', '.join(unknown)}, which {OPERATION} does not take: leave it out")
    if problems := ParamValidator().validate(given, shape).generate_report():
        raise UnusableInput(f"{source} is no FIS template: {'; '.join(problems.splitlines())}")
    if not template["actions"]:
        raise UnusableInput(f"{source} has no action: a template needs one")


@functools.cache
def create_shape() -> Any:
    """botocore's shape of what CreateExperimentTemplate takes."""
    return botocore.session.get_session().get_service_model("fis").operation_model(OPERATION).input_shape


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from (*_texts(name), *_texts(each))
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
