"""The same template, role and automation as one CloudFormation template.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-fis-experimenttemplate.html: the members of
FIS's API with a capital first letter; names of actions, targets, parameters and tags stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra_fixtures.fis.template_file import create_shape


def stack(
    template: Mapping[str, Any],
    role: Mapping[str, Any] | None,
    automations: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """`role`: properties of AWS::IAM::Role of the experiment, None for one that is there; `automations`: further resources by
    their logical ids."""
    resources: dict[str, Any] = {**automations}
    properties = capitalised(template, create_shape())
    if role is not None:
        resources["ExperimentRole"] = {"Type": "AWS::IAM::Role", "Properties": dict(role)}
        properties["RoleArn"] = {"Fn::GetAtt": ["ExperimentRole", "Arn"]}
    made: dict[str, Any] = {"Type": "AWS::FIS::ExperimentTemplate", "Properties": properties}
    if automations:
        made["DependsOn"] = sorted(automations)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": template["description"],
        "Resources": {**resources, "ExperimentTemplate": made},
        "Outputs": {"ExperimentTemplateId": {"Value": {"Fn::GetAtt": ["ExperimentTemplate", "Id"]}}},
    }


def capitalised(value: Any, shape: Any) -> Any:
    """Members of structures as CloudFormation spells them."""
    match shape.type_name:
        case "structure":
            return {n[0].upper() + n[1:]: capitalised(v, shape.members[n]) for n, v in value.items()}
        case "list":
            return [capitalised(each, shape.member) for each in value]
        case "map":
            return {name: capitalised(each, shape.value) for name, each in value.items()}
        case _:
            return value
