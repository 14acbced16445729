"""EC2's resources have no names: those of a run are found by their tag, and what is missing is made with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from infra_fixtures.provision.naming import PART_TAG, Names


def find_parts(ec2: Any, names: Names) -> dict[str, str]:
    """The ids of everything of the run that EC2 holds in this region, by part."""
    found: dict[str, str] = {}
    filters = [{"Name": "key", "Values": [PART_TAG]}, {"Name": "value", "Values": [names.part("*")]}]
    for page in ec2.get_paginator("describe_tags").paginate(Filters=filters):
        for tag in page["Tags"]:
            if tag["Key"] == PART_TAG and tag["Value"].startswith(names.part("")):
                found[tag["Value"].removeprefix(names.part(""))] = tag["ResourceId"]
    return found


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one VPC; `found` is what the run has in this region already."""

    ec2: Any
    names: Names
    vpc_id: str
    found: Mapping[str, str]

    def make(
        self, kind: str, part: str, call: Callable[..., Any], read: Callable[[Any], str], **parameters: Any
    ) -> tuple[str, bool]:
        """(id, whether it was made just now): the part, or what `call` makes; `read` takes the id out of its answer."""
        if part in self.found:
            return self.found[part], False
        answer = call(**parameters, TagSpecifications=self.names.tagged(kind, part))
        return read(answer), True
