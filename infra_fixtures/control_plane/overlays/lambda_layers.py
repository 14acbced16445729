"""A function may name AWS's own layer of FIS's extension, which lies in an account of AWS's; moto knows none but its own.

https://docs.aws.amazon.com/fis/latest/userguide/actions-lambda-extension-arns.html. Its content is not needed: the Lambda service
does what it does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.awslambda.models import LambdaBackend

from infra_fixtures.control_plane.overlays.patching import replaces
from infra_fixtures.fis_lambda import is_layer
from infra_fixtures.run_layout import RunLayout


@dataclass(frozen=True, slots=True)
class ForeignLayer:
    """As much of a layer's version as a function tells of it."""

    arn: str
    code_size: int = 0


def apply(layout: RunLayout) -> None:
    """Make moto take it."""
    replaces(LambdaBackend, "layers_versions_by_arn")(_with_extension(LambdaBackend.layers_versions_by_arn))


def _with_extension(original: Any) -> Any:
    def find(self: LambdaBackend, layer_version_arn: str) -> Any:
        found = original(self, layer_version_arn)
        return ForeignLayer(layer_version_arn) if found is None and is_layer(layer_version_arn) else found

    return find
