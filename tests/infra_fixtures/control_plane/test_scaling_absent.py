"""Removing scaling that is not there is the error that AWS has for it, so that tearing down twice is no error."""

from __future__ import annotations

import pytest

from tests.infra_fixtures.conftest import AwsClient

NOWHERE = {
    "ServiceNamespace": "lambda",
    "ResourceId": "function:none:live",
    "ScalableDimension": "lambda:function:ProvisionedConcurrency",
}


def test_absent_scaling_is_object_not_found(aws_client: AwsClient) -> None:
    """DeleteScalingPolicy and DeregisterScalableTarget: ObjectNotFoundException."""
    autoscaling = aws_client("application-autoscaling")
    with pytest.raises(autoscaling.exceptions.ObjectNotFoundException):
        autoscaling.delete_scaling_policy(PolicyName="none", **NOWHERE)
    with pytest.raises(autoscaling.exceptions.ObjectNotFoundException):
        autoscaling.deregister_scalable_target(**NOWHERE)
