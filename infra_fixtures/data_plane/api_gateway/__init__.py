"""API Gateway of one region: regional REST APIs served as they are deployed."""

from infra_fixtures.data_plane.api_gateway.gateway import ApiGateway

__all__ = ["ApiGateway"]
