"""Route 53: a name server that answers a zone's records as the API holds them, and health checkers that look."""

from infra_fixtures.data_plane.route53.service import Route53

__all__ = ["Route53"]
