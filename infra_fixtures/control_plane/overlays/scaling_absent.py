"""What Application Auto Scaling does not hold is ObjectNotFoundException; moto says ValidationException.

https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeleteScalingPolicy.html
https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeregisterScalableTarget.html
"""

from __future__ import annotations

from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from moto.core.exceptions import JsonRESTError

from infra_fixtures.control_plane.overlays.patching import replaces
from infra_fixtures.run_layout import RunLayout

OPERATIONS = ("delete_scaling_policy", "deregister_scalable_target")
ABSENT = "No scal"
"""How moto's sentence begins where the policy or the target is not there."""


class ObjectNotFoundException(JsonRESTError):
    """There is no such policy or target."""

    code = 400

    def __init__(self, message: str) -> None:
        super().__init__("ObjectNotFoundException", message)


def apply(layout: RunLayout) -> None:
    """Make moto say so."""
    for name in OPERATIONS:
        replaces(ApplicationAutoscalingBackend, name)(_naming_absence(getattr(ApplicationAutoscalingBackend, name)))


def _naming_absence(original: Any) -> Any:
    def remove(self: ApplicationAutoscalingBackend, *args: Any, **kwargs: Any) -> None:
        try:
            original(self, *args, **kwargs)
        except AWSValidationException as e:
            if not e.message.startswith(ABSENT):
                raise
            raise ObjectNotFoundException(e.message) from e

    return remove
