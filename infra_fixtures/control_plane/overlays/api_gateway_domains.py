"""A custom domain name that has no base path mapping yet has none: moto fails with a KeyError.

https://docs.aws.amazon.com/apigateway/latest/api/API_GetBasePathMappings.html
"""

from __future__ import annotations

from typing import Any

from moto.apigateway.models import APIGatewayBackend

from infra_fixtures.control_plane.overlays.patching import replaces
from infra_fixtures.run_layout import RunLayout


def apply(layout: RunLayout) -> None:
    """Make moto answer with an empty list."""
    original = APIGatewayBackend.get_base_path_mappings

    @replaces(APIGatewayBackend, "get_base_path_mappings")
    def get_base_path_mappings(self: APIGatewayBackend, domain_name: str) -> list[Any]:
        if domain_name in self.domain_names and domain_name not in self.base_path_mappings:
            return []
        found: list[Any] = original(self, domain_name)
        return found
