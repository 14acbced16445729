"""Which region and service a request belongs to is read from its signature."""

from __future__ import annotations

from infra_fixtures.control_plane.attribution import UNSIGNED, CallScope, scope_of

HEADER = "AWS4-HMAC-SHA256 Credential=AK/ID/20261124/us-west-2/rds/aws4_request, SignedHeaders=host, Signature=0"


def test_the_credential_scope_of_the_authorization_header_counts() -> None:
    """Region and service stand at the scope's end, whatever the access key contains."""
    assert scope_of({"Authorization": HEADER}, "/") == CallScope("us-west-2", "rds")


def test_a_presigned_url_carries_its_scope_in_the_query() -> None:
    """X-Amz-Credential, percent-encoded."""
    query = "/b/k?X-Amz-Algorithm=AWS4&X-Amz-Credential=AK%2F20261124%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date=0"
    assert scope_of({}, query) == CallScope("eu-west-1", "s3")


def test_an_unsigned_or_malformed_request_belongs_to_no_region() -> None:
    """It is taken for S3's, as moto takes it."""
    assert scope_of({}, "/bucket/key") == UNSIGNED
    assert scope_of({"Authorization": "AWS4-HMAC-SHA256 Credential=nonsense"}, "/") == UNSIGNED


def test_only_global_services_live_in_no_region() -> None:
    """Route 53, IAM and CloudFront are signed for us-east-1 and are not of it."""
    assert CallScope("us-east-1", "route53").is_global
    assert not CallScope("us-east-1", "sts").is_global
