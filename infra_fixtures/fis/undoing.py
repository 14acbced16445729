"""How an experiment is undone by any process: it is stopped, its end is awaited, and what it touched is looked at.

Whatever the harness made in FIS carries a tag of its own, so that it is found although its id was never learnt.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from infra_fixtures.fis.effect import Effect, resources_of
from infra_fixtures.fis.experiment import ENDED
from infra_fixtures.provision.naming import PART_TAG
from infra_fixtures.safety.undo import AwsCall, AwsCallForEach, AwsInTurn, AwsUntil, Undo

PAUSING = "aws:s3:bucket-pause-replication"
ENDED_WITHIN_S = 120.0
BACK_WITHIN_S = 10.0
POLICY = "experiment"
GONE = ("ResourceNotFoundException",)
OVER = (*GONE, "ValidationException", "ConflictException")
"""What FIS refuses to stop has ended, or never was; whether it has is asked afterwards."""


def stop_one(region: str, experiment: str) -> list[Undo]:
    """Stop an experiment whose id is known, and wait until all that it did is undone."""
    ended = " || ".join(f"experiment.state.status=='{s}'" for s in sorted(ENDED))
    return [
        AwsCall("fis", region, "stop_experiment", {"id": experiment}, settled_by=OVER),
        AwsUntil(
            AwsCall("fis", region, "get_experiment", {"id": experiment}, settled_by=GONE),
            f"experiment==null || {ended}",
            f"the experiment {experiment} to end",
            ENDED_WITHIN_S,
        ),
    ]


def stop_of_part(region: str, part: str) -> list[Undo]:
    """The same of every experiment that carries that tag."""
    return [
        AwsCallForEach(
            AwsCall("fis", region, "list_experiments"),
            f"experiments[?{_going(part)}].{{id: id}}",
            AwsCall("fis", region, "stop_experiment", settled_by=OVER),
        ),
        _until_none(region, part),
    ]


def delete_template(region: str, template: str) -> Undo:
    """Delete a template that the harness made; experiments of it keep their own copy."""
    return AwsCall("fis", region, "delete_experiment_template", {"id": template}, settled_by=GONE)


def delete_templates_of_part(region: str, part: str) -> Undo:
    """The same of each that carries that tag."""
    return AwsCallForEach(
        AwsCall("fis", region, "list_experiment_templates"),
        f"experimentTemplates[?tags.\"{PART_TAG}\"=='{part}'].{{id: id}}",
        AwsCall("fis", region, "delete_experiment_template", settled_by=GONE),
    )


def delete_role(region: str, part: str, name: str) -> Undo:
    """Delete the role that the harness made for one experiment, once that has ended: FIS undoes its actions with it."""
    gone = ("NoSuchEntity",)
    return AwsInTurn(
        (
            _until_none(region, part),
            AwsCall("iam", None, "delete_role_policy", {"RoleName": name, "PolicyName": POLICY}, settled_by=gone),
            AwsCall("iam", None, "delete_role", {"RoleName": name}, settled_by=gone),
        )
    )


def back_as_before(
    s3: Any, region: str, actions: Mapping[str, Mapping[str, Any]], resolved: Mapping[str, list[str]], effect: Effect
) -> list[Undo]:
    """What the actions' targets must be like again once the experiment has ended, as they are read now.

    FIS does not always restore (https://docs.aws.amazon.com/fis/latest/userguide/fis-actions-reference.html,
    disrupt-vpc-endpoint): what of it can be read is looked at, and an ACL is given back where AWS did not.
    """
    paused = [arn for a in actions.values() if a["actionId"] == PAUSING for arn in resources_of(a, resolved)]
    found = [_replication_back(s3, region, arn.rpartition(":")[2]) for arn in paused]
    return [*found, *(step for subnet, acl in effect.acls.items() for step in give_back_acl(region, subnet, acl))]


def give_back_acl(region: str, subnet: str, acl: str) -> list[Undo]:
    """Associate a subnet with an ACL, whatever its association is called now, and see that it has it."""
    of_subnet = AwsCall(
        "ec2", region, "describe_network_acls", {"Filters": [{"Name": "association.subnet-id", "Values": [subnet]}]}
    )
    return [
        AwsCallForEach(
            find=of_subnet,
            found=f"NetworkAcls[?NetworkAclId!='{acl}'].Associations[] | [?SubnetId=='{subnet}']"
            ".{AssociationId: NetworkAclAssociationId}",
            call=AwsCall("ec2", region, "replace_network_acl_association", {"NetworkAclId": acl}),
        ),
        AwsUntil(of_subnet, f"NetworkAcls[0].NetworkAclId=='{acl}'", f"{subnet} to have {acl} again", BACK_WITHIN_S),
    ]


def _replication_back(s3: Any, region: str, bucket: str) -> Undo:
    read = AwsCall("s3", region, "get_bucket_replication", {"Bucket": bucket})
    before = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
    literal = json.dumps(before, sort_keys=True).replace("`", "\\`")
    return AwsUntil(read, f"ReplicationConfiguration==`{literal}`", f"{bucket} to replicate as before", BACK_WITHIN_S)


def _going(part: str) -> str:
    """JMESPath of an experiment with that tag that has not ended."""
    return " && ".join([f"tags.\"{PART_TAG}\"=='{part}'", *(f"state.status!='{s}'" for s in sorted(ENDED))])


def _until_none(region: str, part: str) -> AwsUntil:
    return AwsUntil(
        AwsCall("fis", region, "list_experiments"),
        f"length(experiments[?{_going(part)}] || `[]`)==`0`",
        f"the experiments of {part} to end",
        ENDED_WITHIN_S,
    )
