"""AWS's services that belong to no region, and the word that stands for a region where they are meant."""

from __future__ import annotations

GLOBAL = "global"
"""Among regions: those services. It stands in layouts, in what a run may touch and on the command line."""
GLOBAL_SERVICES = frozenset({"cloudfront", "iam", "organizations", "route53"})
"""By the names with which their requests are signed, which are boto3's too."""
