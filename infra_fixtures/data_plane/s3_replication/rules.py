"""Replication rules as the S3 API describes them: which objects go to which bucket."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rule:
    """An enabled rule: objects under `prefix` go to `target`, a bucket in `target_region`."""

    prefix: str
    target: str
    target_region: str
    delete_markers: bool
    priority: int


class PausedReplication(msgspec.Struct, frozen=True):
    """What FIS holds back: from the bucket `source` to buckets in `region`; of `destinations` and `prefixes` empty is all."""

    source: str
    region: str
    destinations: frozenset[str]
    prefixes: frozenset[str]

    def holds(self, bucket: str, rule: Rule) -> bool:
        """Whether an object of a bucket, replicated by a rule, is held back."""
        return (
            bucket == self.source
            and rule.target_region == self.region
            and (not self.destinations or rule.target in self.destinations)
            and (not self.prefixes or rule.prefix in self.prefixes)
        )


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
