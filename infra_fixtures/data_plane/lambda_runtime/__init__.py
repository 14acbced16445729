"""The Lambda service of one region: AWS's own runtime client in worker processes, driven over the Runtime API."""

from infra_fixtures.data_plane.lambda_runtime.invocation import InvokeResult
from infra_fixtures.data_plane.lambda_runtime.service import LambdaService

__all__ = ["InvokeResult", "LambdaService"]
