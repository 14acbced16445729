"""The evaluation of policies, by the rules of AWS's own pages."""

from __future__ import annotations

from typing import Any

import pytest

from infra_fixtures.permissions.calls import Request
from infra_fixtures.permissions.evaluation import CannotTell, Decision, decide, like

ALLOWED, DENIED, NOT_ALLOWED = Decision.ALLOWED, Decision.EXPLICIT_DENY, Decision.IMPLICIT_DENY
BUCKET = "arn:aws:s3:::drill-a"


def _policy(**element: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*", **element}]}


def _ask(action: str = "s3:PutObject", arn: str = BUCKET, **context: tuple[str, ...]) -> Request:
    named = {key.replace("___", "/").replace("__", ":"): value for key, value in context.items()}
    return Request(action, "s3:bucket", arn, named)


def _if(operator: str, key: str, value: Any) -> dict[str, Any]:
    return _policy(Condition={operator: {key: value}})


@pytest.mark.parametrize(
    ("policy", "request_", "decision"),
    [
        (_policy(Action="s3:PutObject"), _ask(), ALLOWED),
        (_policy(Action="S3:putobject"), _ask(), ALLOWED),
        (_policy(Action=["s3:Get*", "s3:Put?bject"]), _ask(), ALLOWED),
        (_policy(Action="s3:Get*"), _ask(), NOT_ALLOWED),
        (_policy(NotAction="iam:*"), _ask(), ALLOWED),
        (_policy(Resource="arn:aws:s3:::drill-*"), _ask(), ALLOWED),
        (_policy(Resource="arn:aws:s3:::DRILL-*"), _ask(), NOT_ALLOWED),
        (_policy(Resource="arn:aws:s3:::drill.a"), _ask(), NOT_ALLOWED),
        (_policy(Effect="Deny"), _ask(), DENIED),
        (_if("StringEquals", "aws:RequestedRegion", ["us-east-1"]), _ask(aws__RequestedRegion=("us-east-1",)), ALLOWED),
        (_if("StringEquals", "AWS:requestedregion", "us-east-1"), _ask(aws__RequestedRegion=("us-east-1",)), ALLOWED),
        (_if("StringEquals", "aws:RequestedRegion", "us-east-1"), _ask(), NOT_ALLOWED),
        (_if("StringEqualsIfExists", "aws:RequestedRegion", "us-east-1"), _ask(), ALLOWED),
        (_if("StringNotEquals", "aws:RequestedRegion", "us-east-1"), _ask(), ALLOWED),
        (_if("StringNotLike", "aws:RequestedRegion", "us-*"), _ask(aws__RequestedRegion=("us-east-1",)), NOT_ALLOWED),
        (_if("Null", "aws:ResourceTag/x", "false"), _ask(), NOT_ALLOWED),
        (_if("Null", "aws:ResourceTag/x", "true"), _ask(), ALLOWED),
        (_if("Bool", "aws:SecureTransport", "true"), _ask(aws__SecureTransport=("true",)), ALLOWED),
        (_if("ForAllValues:StringLike", "aws:TagKeys", ["a", "b*"]), _ask(aws__TagKeys=("a", "bc")), ALLOWED),
        (_if("ForAllValues:StringLike", "aws:TagKeys", ["a"]), _ask(aws__TagKeys=("a", "bc")), NOT_ALLOWED),
        (_if("ForAllValues:StringLike", "aws:TagKeys", ["a"]), _ask(), ALLOWED),
        (_if("ForAnyValue:StringEquals", "aws:TagKeys", ["a"]), _ask(aws__TagKeys=("a", "bc")), ALLOWED),
        (_if("ForAnyValue:StringEquals", "aws:TagKeys", ["a"]), _ask(), NOT_ALLOWED),
        (_if("NumericLessThan", "kms:Days", "8"), _ask(kms__Days=("7",)), ALLOWED),
        (_if("ArnLike", "aws:SourceArn", "arn:aws:sns:*:1:t"), _ask(aws__SourceArn=("arn:aws:sns:x:1:t",)), ALLOWED),
        (_if("ArnLike", "aws:SourceArn", "arn:aws:sns:*"), _ask(aws__SourceArn=("arn:aws:sns:x:1:t",)), NOT_ALLOWED),
        (_policy(Resource="arn:aws:s3:::${aws:PrincipalTag/team}-*"), _ask(aws__PrincipalTag___team=("drill",)), ALLOWED),
        (_policy(Resource="arn:aws:s3:::drill-${*}"), _ask(), NOT_ALLOWED),
        (_policy(Resource="arn:aws:s3:::drill-${*}"), _ask(arn="arn:aws:s3:::drill-*"), ALLOWED),
    ],
)  # fmt: skip
def test_one_statement(policy: dict[str, Any], request_: Request, decision: Decision) -> None:
    """Each element and operator, both ways."""
    if "NotAction" in policy["Statement"][0]:
        del policy["Statement"][0]["Action"]
    assert decide([policy], request_) is decision


def test_a_deny_wins_wherever_it_stands() -> None:
    """An explicit Deny of any policy, and whatever a boundary does not allow."""
    allow, deny = _policy(), _policy(Effect="Deny", Action="s3:Put*")
    assert decide([allow, deny], _ask()) is DENIED
    assert decide([deny, allow], _ask()) is DENIED
    assert decide([allow], _ask(), boundary=_policy(Action="s3:Get*")) is NOT_ALLOWED
    assert decide([allow], _ask(), boundary=_policy(Action="s3:*")) is ALLOWED
    assert decide([], _ask(), boundary=allow) is NOT_ALLOWED, "a boundary grants nothing"


@pytest.mark.parametrize(
    "policy", [_if("IpAddress", "aws:SourceIp", "10.0.0.0/8"), _policy(Resource="arn:aws:s3:::${aws:username}")]
)
def test_what_it_does_not_know_is_no_answer(policy: dict[str, Any]) -> None:
    """An operator or a variable that it cannot evaluate is said, never taken for a yes or a no."""
    with pytest.raises(CannotTell):
        decide([policy], _ask())


def test_wildcards_of_the_value_stand_for_themselves() -> None:
    """Only those of the pattern are wildcards, and nothing else of it is special."""
    assert like("a.c", "a.c")
    assert not like("a.c", "abc")
    assert not like("abc", "a*")
    assert like("a*", "a\nb")
