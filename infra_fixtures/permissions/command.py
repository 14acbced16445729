"""python -m infra_fixtures policies: print the policies of the three roles, for IAM or for Terraform."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from drill.unusable import UnusableInput
from infra_fixtures.permissions.calls import Role
from infra_fixtures.permissions.evaluation import Policy
from infra_fixtures.permissions.policies import Narrowing, policies

REGIONS = ("us-east-1", "us-west-2")
NAME, TAG = "drill-*", "failover-drill:run-id"
"""What a run names and tags everything by (`infra_fixtures.provision.naming`)."""
COMMITTED = Path(__file__).with_name("policies")
"""The documents as they are printed where nothing is given."""
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command can be told."""
    parser.add_argument("--role", choices=[role.value for role in Role], help="only this role's (default: all three)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object, documents by role (default)")
    form.add_argument("--terraform", action="store_true", help="Terraform resources in JSON (*.tf.json)")
    parser.add_argument("--account", default="*", help="the account's id, in every ARN (default: any)")
    parser.add_argument("--region", action="append", help=f"a region that is drilled (default: {', '.join(REGIONS)})")
    parser.add_argument("--name", default=NAME, help=f"the pattern of the names of what is drilled (default {NAME})")
    parser.add_argument(
        "--tag", metavar="KEY=VALUE", help="the tag of what may be broken in a system that stands already"
    )
    parser.add_argument("--zone", default="*", help="the domain whose records may be changed (default: any)")


def narrowing_of(given: argparse.Namespace) -> Narrowing:
    """How far the roles reach; raises UnusableInput."""
    regions = tuple(given.region or REGIONS)
    for region in regions:
        if not _REGION.fullmatch(region):
            raise UnusableInput(f"--region {region} is no region: give such as us-east-1")
    if given.account != "*" and not re.fullmatch(r"\d{12}", given.account):
        raise UnusableInput(f"--account {given.account} is no account: give its twelve digits")
    key, _, value = (given.tag or "").partition("=")
    if given.tag is not None and not (key and value):
        raise UnusableInput(f"--tag {given.tag} is not KEY=VALUE: give such as dr-drill=may-break")
    mark = (key, value) if key else None
    return Narrowing(regions, given.name, TAG, mark, given.account, given.zone.rstrip("."))


def printed(given: argparse.Namespace) -> str:
    """What the command prints."""
    roles = [Role(given.role)] if given.role else list(Role)
    narrowing = narrowing_of(given)
    documents = {role: policies(role, narrowing) for role in roles}
    return text(terraform(documents) if given.terraform else plain(documents))


def plain(documents: dict[Role, list[Policy]]) -> dict[str, Any]:
    """The documents by role."""
    return {role.value: list(own) for role, own in documents.items()}


def terraform(documents: dict[Role, list[Policy]]) -> dict[str, Any]:
    """A managed policy a document (https://developer.hashicorp.com/terraform/language/syntax/json)."""
    made = {
        name.replace("-", "_"): {"name": name, "policy": json.dumps(document, sort_keys=True)}
        for name, document in _named(documents)
    }
    return {"resource": {"aws_iam_policy": made}}


def _named(documents: dict[Role, list[Policy]]) -> Iterator[tuple[str, Policy]]:
    for role, own in documents.items():
        for number, document in enumerate(own, 1):
            yield f"failover-drill-{role.value}-{number}", document


def text(value: Any) -> str:
    """As it is printed, and committed."""
    return json.dumps(value, indent=1) + "\n"


def committed_files() -> dict[Path, str]:
    """What lies in the repository: a file a document, at its widest."""
    narrowing = Narrowing(REGIONS, NAME, TAG)
    return {
        COMMITTED / f"{role.value}-{number}.json": text(document)
        for role in Role
        for number, document in enumerate(policies(role, narrowing), 1)
    }
