"""Replication rules as the S3 API describes them: which objects go to which bucket."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rule:
    """An enabled rule: objects under `prefix` go to `target`, a bucket in `target_region`."""

    prefix: str
    target: str
    target_region: str
    delete_markers: bool
    priority: int


def read_rules(described: Iterable[Mapping[str, Any]], bucket_regions: Mapping[str, str]) -> Iterable[Rule]:
    """The enabled rules of a configuration whose target is one of `bucket_regions`, the known buckets."""
    for rule in described:
        if rule.get("Status") != "Enabled":
            continue
        chosen = rule.get("Filter") or {}
        both = chosen.get("And") or {}
        if chosen.get("Tag") or both.get("Tags"):
            log.warning("replication rule %s selects by tag, which is not modelled: it selects nothing", rule.get("ID"))
            continue
        target = rule["Destination"]["Bucket"].rpartition(":")[2]
        if target not in bucket_regions:
            log.warning("replication rule %s leads to %s, which does not exist", rule.get("ID"), target)
            continue
        prefix = chosen.get("Prefix") or both.get("Prefix") or rule.get("Prefix") or ""
        markers = (rule.get("DeleteMarkerReplication") or {}).get("Status") == "Enabled"
        yield Rule(prefix, target, bucket_regions[target], markers, int(rule.get("Priority", 0)))
