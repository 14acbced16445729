"""What an experiment's role needs: FIS's trust, and the permissions of exactly the actions that it runs.

Permissions by action: https://docs.aws.amazon.com/fis/latest/userguide/fis-actions-reference.html; the statements for
network ACLs are narrowed as in AWS's own AWSFaultInjectionSimulatorNetworkAccess, those for S3 as in
https://docs.aws.amazon.com/fis/latest/userguide/security_iam_id-based-policy-examples.html. Trust, with its conditions against
a confused deputy: https://docs.aws.amazon.com/fis/latest/userguide/getting-started-iam-service-role.html.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from drill.unusable import UnusableInput

Statement = dict[str, Any]
Action = Mapping[str, Any]
FIS, SSM = "fis.amazonaws.com", "ssm.amazonaws.com"
CONFIGURATION_BUCKET = "<FIS CONFIGURATION BUCKET>"
"""Where FIS and its Lambda extension meet: https://docs.aws.amazon.com/fis/latest/userguide/use-lambda-actions.html."""
MANAGED = {"aws:RequestTag/managedByFIS": "true"}


def trust(account: str, region: str) -> dict[str, Any]:
    """Who may assume the role: FIS, for experiments of that account and region."""
    condition = {
        "StringEquals": {"aws:SourceAccount": account},
        "ArnLike": {"aws:SourceArn": f"arn:aws:fis:{region}:{account}:experiment/*"},
    }
    return trusting(FIS, condition)


def trusting(service: str, condition: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A trust policy for a service of AWS."""
    allowed: Statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [{**allowed, **({"Condition": condition} if condition else {})}]}


def permissions(template: Mapping[str, Any], account: str, region: str) -> dict[str, Any]:
    """What a template's role must be allowed; UnusableInput for an action of which that is not known here."""
    statements: list[Statement] = []
    for action in template["actions"].values():
        needed = NEEDED.get(action["actionId"])
        if needed is None:
            raise UnusableInput(
                f"which permissions {action['actionId']} needs is not known here: give the role of its experiments"
            )
        statements += [s for s in needed(action, account, region) if s not in statements]
    if "logConfiguration" in template:
        statements.append(_allow(["logs:CreateLogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
                                  "logs:PutResourcePolicy"], ["*"]))  # fmt: skip
    return {"Version": "2012-10-17", "Statement": statements}


def _allow(actions: Sequence[str], resources: Sequence[str], **condition: Mapping[str, str]) -> Statement:
    found: Statement = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    return {**found, **({"Condition": dict(condition)} if condition else {})}


def _disrupt_connectivity(_action: Action, account: str, region: str) -> Iterator[Statement]:
    here = f"arn:aws:ec2:{region}:{account}"
    acls, vpcs, subnets = f"{here}:network-acl/*", f"{here}:vpc/*", f"{here}:subnet/*"
    yield _allow(["ec2:CreateTags"], [acls], StringEquals={"ec2:CreateAction": "CreateNetworkAcl", **MANAGED})
    yield _allow(["ec2:CreateNetworkAcl"], [acls], StringEquals=MANAGED)
    yield _allow(["ec2:CreateNetworkAcl"], [vpcs])
    yield _allow(
        ["ec2:CreateNetworkAclEntry", "ec2:DeleteNetworkAcl"],
        [acls, vpcs],
        StringEquals={"ec2:ResourceTag/managedByFIS": "true"},
    )
    yield _allow(["ec2:ReplaceNetworkAclAssociation"], [subnets, acls])
    yield _allow(["ec2:GetManagedPrefixListEntries"], [f"{here}:prefix-list/*"])
    looks = ("ManagedPrefixLists", "NetworkAcls", "Subnets", "Vpcs")
    yield _allow([f"ec2:Describe{what}" for what in looks], ["*"])


def _pause_replication(action: Action, _account: str, _region: str) -> Iterator[Statement]:
    buckets = ["arn:aws:s3:::*"]
    to = action.get("parameters", {}).get("region", "*")
    yield _allow(["s3:PauseReplication"], buckets, StringLike={"s3:DestinationRegion": to})
    yield _allow(
        ["s3:GetReplicationConfiguration", "s3:PutReplicationConfiguration"],
        buckets,
        BoolIfExists={"s3:IsReplicationPauseRequest": "true"},
    )
    yield _allow(["s3:ListAllMyBuckets", "tag:GetResources"], ["*"])


def _lambda(_action: Action, account: str, region: str) -> Iterator[Statement]:
    yield _allow(["s3:PutObject", "s3:DeleteObject"], [f"arn:aws:s3:::{CONFIGURATION_BUCKET}/*"])
    yield _allow(["lambda:GetFunction"], [f"arn:aws:lambda:{region}:{account}:function:*"])
    yield _allow(["tag:GetResources"], ["*"])


def _automation(action: Action, account: str, region: str) -> Iterator[Statement]:
    given = action["parameters"]
    name = given["documentArn"].rpartition("/")[2]
    here = f"arn:aws:ssm:{region}:{account}"
    yield _allow(["ssm:StartAutomationExecution"], [f"{here}:automation-definition/{name}:*", given["documentArn"]])
    yield _allow(["ssm:GetAutomationExecution", "ssm:StopAutomationExecution"], [f"{here}:automation-execution/*"])
    if role := json.loads(given.get("documentParameters", "{}")).get("AutomationAssumeRole"):
        roles = [role] if isinstance(role, str) else role
        yield _allow(["iam:PassRole"], roles, StringEquals={"iam:PassedToService": SSM})


def _nothing(_action: Action, _account: str, _region: str) -> Iterable[Statement]:
    return ()


NEEDED: Mapping[str, Callable[[Action, str, str], Iterable[Statement]]] = {
    "aws:fis:wait": _nothing,
    "aws:network:disrupt-connectivity": _disrupt_connectivity,
    "aws:s3:bucket-pause-replication": _pause_replication,
    "aws:lambda:invocation-add-delay": _lambda,
    "aws:lambda:invocation-error": _lambda,
    "aws:lambda:invocation-http-integration-response": _lambda,
    "aws:ssm:start-automation-execution": _automation,
}
"""By action."""
