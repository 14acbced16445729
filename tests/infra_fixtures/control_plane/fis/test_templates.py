"""Templates are refused where FIS refuses them, and where this model lacks what they name."""

from __future__ import annotations

from typing import Any

import pytest

from infra_fixtures.control_plane.fis.durations import action_seconds, seconds
from infra_fixtures.control_plane.fis.templates import widest
from tests.infra_fixtures.control_plane.fis.conftest import WAIT, Experiments, refused

SUBNETS = {"resourceType": "aws:ec2:subnet", "resourceTags": {"break": "me"}, "selectionMode": "ALL"}
DISRUPT = {
    "actionId": "aws:network:disrupt-connectivity",
    "parameters": {"duration": "PT1M", "scope": "all"},
    "targets": {"Subnets": "subnets"},
}
ARN = "arn:aws:ec2:us-east-1:123456789012:subnet/subnet-1"


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"actions": {"a": {"actionId": "aws:ecs:stop-task"}}}, "ValidationException", "aws:ecs:stop-task"),
        ({"actions": {"a": {"actionId": "aws:moon:eclipse"}}}, "ResourceNotFoundException", "Action with ID aws:moon"),
        ({"actions": {}}, "ValidationException", "At least one action"),
        ({"actions": {str(n): WAIT for n in range(21)}}, "ServiceQuotaExceededException", "21 actions"),
        ({"actions": {str(n): WAIT for n in range(11)}}, "ServiceQuotaExceededException", "11 actions .* parallel"),
        ({"actions": {"a": {**WAIT, "startAfter": ["b"]}}}, "ValidationException", "not an action of the template"),
        ({"actions": {"a": {**WAIT, "startAfter": ["a"]}}}, "ValidationException", "starts after itself"),
        (
            {"actions": {"a": {**WAIT, "parameters": {"duration": "PT59S"}}}},
            "ValidationException",
            "PT59S is not between PT1M and PT12H",
        ),
        ({"actions": {"a": {**WAIT, "parameters": {"duration": "5 min"}}}}, "ValidationException", "ISO 8601"),
        ({"actions": {"a": {**WAIT, "parameters": {}}}}, "ValidationException", '"duration" .* is required'),
        (
            {"actions": {"a": {**WAIT, "parameters": {"duration": "PT1M", "length": "1"}}}},
            "ValidationException",
            'Unexpected parameter "length"',
        ),
        (
            {"actions": {"a": {**DISRUPT, "targets": {"Clusters": "subnets"}}}},
            "ValidationException",
            'Unexpected target "Clusters" found in action "a"',
        ),
        ({"actions": {"a": {**DISRUPT, "targets": {}}}}, "ValidationException", 'must have a target "Subnets"'),
        ({"actions": {"a": {**DISRUPT, "targets": {"Subnets": "x"}}}}, "ValidationException", "not in the template"),
        (
            {"targets": {"subnets": {**SUBNETS, "resourceType": "aws:ecs:task"}}},
            "ValidationException",
            "aws:ecs:task, which is not available here",
        ),
        ({"targets": {"subnets": {**SUBNETS, "selectionMode": "SOME"}}}, "ValidationException", "SOME is none of"),
        ({"targets": {"subnets": {**SUBNETS, "selectionMode": "PERCENT(0)"}}}, "ValidationException", "PERCENT.0."),
        ({"targets": {"subnets": {**SUBNETS, "resourceArns": [ARN]}}}, "ValidationException", "give either"),
        (
            {"targets": {"subnets": {"resourceType": "aws:ec2:subnet", "selectionMode": "ALL"}}},
            "ValidationException",
            "no resource ARNs, tags or parameters",
        ),
        (
            {"targets": {"b": {"resourceType": "aws:s3:bucket", "resourceArns": [ARN], "selectionMode": "ALL"}}},
            "ValidationException",
            "by resource tags only",
        ),
        ({"stopConditions": [{"source": "none"}] * 6}, "ServiceQuotaExceededException", "6 stop conditions"),
        ({"stopConditions": [{"source": "the-weather"}]}, "ValidationException", "the-weather is not a source"),
        (
            {"stopConditions": [{"source": "aws:cloudwatch:alarm", "value": "arn:aws:cloudwatch:us-west-2:1:alarm:x"}]},
            "ValidationException",
            "not the ARN of a CloudWatch alarm of us-east-1",
        ),
        ({"experimentOptions": {"accountTargeting": "multi-account"}}, "ValidationException", "multi-account"),
        ({"description": "x" * 513}, "ValidationException", "length less than or equal to 512"),
    ],
)
def test_refused(experiments: Experiments, changes: dict[str, Any], code: str, words: str) -> None:
    """Each in a sentence that names what is wrong."""
    asked: dict[str, Any] = {"actions": {"a": DISRUPT}, "targets": {"subnets": SUBNETS}, **changes}
    refused(lambda: experiments.template(**asked), code, words)


def test_what_was_created_is_told_changed_listed_and_deleted(experiments: Experiments) -> None:
    """The whole life of a template, its tags with it."""
    fis = experiments.fis
    made = experiments.template({"a": DISRUPT}, {"subnets": SUBNETS}, tags={"team": "sre"})
    said = fis.get_experiment_template(id=made)["experimentTemplate"]
    assert said["actions"] == {"a": DISRUPT}
    assert said["targets"] == {"subnets": SUBNETS}
    assert said["experimentOptions"] == {"accountTargeting": "single-account", "emptyTargetResolutionMode": "fail"}
    fis.tag_resource(resourceArn=said["arn"], tags={"more": "yes"})
    fis.untag_resource(resourceArn=said["arn"], tagKeys=["team"])
    assert fis.list_tags_for_resource(resourceArn=said["arn"])["tags"] == {"more": "yes"}
    fis.update_experiment_template(id=made, description="other", actions={"a": WAIT}, targets={})
    changed = fis.get_experiment_template(id=made)["experimentTemplate"]
    assert (changed["description"], changed["actions"]) == ("other", {"a": WAIT})
    assert changed["lastUpdateTime"] > changed["creationTime"]
    refused(lambda: fis.update_experiment_template(id=made, actions={}), "ValidationException", "At least one action")
    assert made in [t["id"] for t in fis.list_experiment_templates()["experimentTemplates"]]
    fis.delete_experiment_template(id=made)
    refused(lambda: fis.get_experiment_template(id=made), "ResourceNotFoundException", "does not exist")


def test_a_token_makes_one_template(experiments: Experiments) -> None:
    """The same token and input give the same template, other input is a conflict; a page begins where the last ended."""
    one, two = (experiments.template({"a": WAIT}, clientToken="once") for _ in range(2))
    assert one == two
    refused(lambda: experiments.template({"b": WAIT}, clientToken="once"), "ConflictException", "client token")
    experiments.template({"a": WAIT})
    first = experiments.fis.list_experiment_templates(maxResults=1)
    second = experiments.fis.list_experiment_templates(maxResults=1, nextToken=first["nextToken"])
    assert first["experimentTemplates"] != second["experimentTemplates"]


def test_the_catalogue_lists_what_is_done_here(experiments: Experiments) -> None:
    """Actions with their targets and parameters; what only AWS has is refused by name."""
    fis = experiments.fis
    listed = {a["id"]: a for a in fis.list_actions()["actions"]}
    assert listed["aws:network:disrupt-connectivity"]["targets"] == {"Subnets": {"resourceType": "aws:ec2:subnet"}}
    assert "aws:ecs:stop-task" not in listed
    assert fis.get_action(id="aws:fis:wait")["action"]["parameters"]["duration"]["required"]
    types = [t["resourceType"] for t in fis.list_target_resource_types()["targetResourceTypes"]]
    assert {"aws:ec2:subnet", "aws:s3:bucket"} <= set(types)
    assert "vpc" in fis.get_target_resource_type(resourceType="aws:ec2:subnet")["targetResourceType"]["parameters"]


@pytest.mark.parametrize(("text", "length"), [("PT1M", 60), ("PT1H30M", 5400), ("PT90S", 90), ("P1D", 86400)])
def test_durations(text: str, length: int) -> None:
    """ISO 8601."""
    assert seconds(text) == length


@pytest.mark.parametrize("text", ["", "P", "PT", "1M", "PT1.5M", "PT-1M", "PT13H", "PT0S"])
def test_other_durations_are_none(text: str) -> None:
    """What FIS takes for no duration of an action."""
    with pytest.raises(ValueError, match=r"ISO 8601|between"):
        action_seconds(text)


def test_parallel_actions_are_counted_by_their_order() -> None:
    """The widest set of actions of which none waits for another, through others as well."""
    assert widest({"a": {}, "b": {"startAfter": ["a"]}, "c": {"startAfter": ["b"]}}) == 1
    assert widest({"a": {}, "b": {}, "c": {"startAfter": ["a"]}, "d": {"startAfter": ["b"]}}) == 2
    assert widest({"a": {}, "b": {"startAfter": ["a"]}, "c": {"startAfter": ["a"]}, "d": {}}) == 3
