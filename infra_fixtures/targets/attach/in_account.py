"""AWS parts that a description leaves to the account: read from a stack's outputs, or found by tag."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from drill.unusable import UnusableInput
from infra_fixtures.safety.caller import Asking
from infra_fixtures.targets.attach.aws_parts import Aws, Tagged
from infra_fixtures.targets.attach.outputs import placed

GLOBAL_SERVICES_REGION = "us-east-1"
"""Where the tags of Route 53 are told."""


def completed(aws: Aws, asking: Asking, primary: str, standby: str) -> Aws:
    """With what the stack and the tags say; what is written in the description goes before. Raises UnusableInput."""
    found: dict[str, Any] = {}
    try:
        if aws.tags is not None:
            found |= placed(dict(_tagged(aws.tags, asking, primary, standby)), Aws)
        if aws.stack is not None:
            found |= placed(_outputs(asking.client("cloudformation", primary), aws.stack), Aws)
    except (BotoCoreError, ClientError) as e:
        raise UnusableInput(f"the parts of the system cannot be read from the account: {e}") from e
    written = msgspec.to_builtins(aws)
    try:
        return msgspec.convert({**found, **written}, Aws, strict=False)
    except msgspec.ValidationError as e:
        raise UnusableInput(f"what the account says of the system is not whole: {e}") from e


def _outputs(cloudformation: Any, stack: str) -> dict[str, Any]:
    (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    return {
        "".join(c for c in str(o["OutputKey"]).lower() if c.isalnum()): o["OutputValue"]
        for o in found.get("Outputs") or ()
    }


def _tagged(tags: Tagged, asking: Asking, primary: str, standby: str) -> Iterator[tuple[str, str]]:
    """By the place that the tag `part` names, such as buckets.primary: the resource's own id or name, or its ARN where the
    place is one."""
    lists: dict[str, list[str]] = {}
    for region in dict.fromkeys((primary, standby, GLOBAL_SERVICES_REGION)):
        pages = asking.client("resourcegroupstaggingapi", region).get_paginator("get_resources")
        for page in pages.paginate(TagFilters=[{"Key": tags.key, "Values": [tags.value]}]):
            for resource in page["ResourceTagMappingList"]:
                told = {t["Key"]: t["Value"] for t in resource["Tags"]}
                if place := told.get(tags.part):
                    key = "drill" + "".join(c for c in place.lower() if c.isalnum())
                    arn = str(resource["ResourceARN"])
                    value = arn if key.endswith("arn") else _own_name(arn)
                    if value not in lists.setdefault(key, []):
                        lists[key].append(value)
    for key, values in lists.items():
        if len(values) > 1 and not key.endswith("subnets"):
            raise UnusableInput(
                f"{', '.join(sorted(values))} are all tagged as {key.removeprefix('drill')}: only one can be"
            )
        yield key, ",".join(sorted(values))


def _own_name(arn: str) -> str:
    """What follows the type in an ARN: of subnet/subnet-1, function:orders, or a bucket's name itself."""
    resource = arn.split(":", 5)[5]
    return resource.rpartition("/")[2].rpartition(":")[2]
