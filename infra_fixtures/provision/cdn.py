"""The optional edge: a CloudFront distribution before the API's name, which caches nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drill.wait import wait_until
from infra_fixtures.provision.naming import Names
from infra_fixtures.topology import Topology

NO_CACHE = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
"""CachingDisabled (https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html)."""
ALL_BUT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
"""AllViewerExceptHostHeader: the API key goes through, the Host header is the origin's."""
DEPLOYED_WITHIN_S = 1800.0


def distribution(cloudfront: Any, topology: Topology, names: Names) -> str:
    """The distribution; its domain name."""
    existing = _held(cloudfront, names)
    if existing is not None:
        return str(existing["DomainName"])
    made = cloudfront.create_distribution_with_tags(
        DistributionConfigWithTags={
            "DistributionConfig": {
                "CallerReference": names.of("edge"),
                "Comment": names.of("edge"),
                "Enabled": True,
                "Origins": {"Quantity": 1, "Items": [_origin(topology)]},
                "DefaultCacheBehavior": {
                    "TargetOriginId": "api",
                    "ViewerProtocolPolicy": "redirect-to-https",
                    "AllowedMethods": {
                        "Quantity": 7,
                        "Items": ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"],
                    },
                    "CachePolicyId": NO_CACHE,
                    "OriginRequestPolicyId": ALL_BUT_HOST,
                },
            },
            "Tags": {"Items": names.tag_list("edge")},
        }
    )
    return str(made["Distribution"]["DomainName"])


def tear_down(cloudfront: Any, names: Names) -> None:
    """Disable the distribution, wait until every edge has heard of it, and delete it."""
    existing = _held(cloudfront, names)
    if existing is None:
        return
    identity = existing["Id"]
    found = cloudfront.get_distribution_config(Id=identity)
    tag = found["ETag"]
    if found["DistributionConfig"]["Enabled"]:
        config = {**found["DistributionConfig"], "Enabled": False}
        tag = cloudfront.update_distribution(Id=identity, IfMatch=tag, DistributionConfig=config)["ETag"]
    wait_until(
        lambda: cloudfront.get_distribution(Id=identity)["Distribution"]["Status"] == "Deployed",
        what=f"the distribution {identity} to be disabled everywhere",
        timeout_s=DEPLOYED_WITHIN_S,
        every_s=1.0,
    )
    cloudfront.delete_distribution(Id=identity, IfMatch=tag)


def _origin(topology: Topology) -> dict[str, Any]:
    return {
        "Id": "api",
        "DomainName": topology.api_name,
        "CustomOriginConfig": {
            "HTTPPort": 80 if topology.edge_scheme == "https" else topology.edge_port,
            "HTTPSPort": topology.edge_port if topology.edge_scheme == "https" else 443,
            "OriginProtocolPolicy": f"{topology.edge_scheme}-only",
            "OriginSslProtocols": {"Quantity": 1, "Items": ["TLSv1.2"]},
        },
    }


def _held(cloudfront: Any, names: Names) -> Mapping[str, Any] | None:
    """The run's distribution, by the comment that it was made with."""
    for page in cloudfront.get_paginator("list_distributions").paginate():
        for found in page["DistributionList"].get("Items", ()):
            if found["Comment"] == names.of("edge"):
                return dict(found)
    return None
