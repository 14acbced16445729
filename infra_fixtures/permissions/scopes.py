"""On what a role may act: resources by the names that a run gives, by the tag that it gives where AWS gives ids for names.

What carries neither is open, and says so: it is why an account of its own is the best fence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from infra_fixtures.permissions.arns import PATH, arn_of
from infra_fixtures.permissions.calls import Request
from infra_fixtures.permissions.evaluation import like
from infra_fixtures.permissions.reference import REQUEST_TAG, RESOURCE_TAG, reference

NAME = "{name}"
"""In a pattern: what every name of a run begins with, and a `*`."""


class Tagged(Enum):
    """Which tag an act wants."""

    NOT = ""
    RESOURCE = RESOURCE_TAG
    """That of the resource as it is."""
    REQUEST = REQUEST_TAG
    """That which the call gives to what it makes."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Resources of one kind, by patterns for what its ARN is filled with. `tagged` holds for what changes something:
    to look for what is not there has to be allowed without its tag."""

    name: str
    kind: str
    values: tuple[str, ...]
    tagged: Tagged = Tagged.NOT

    def arn(self, account: str, name: str) -> str:
        """The pattern of its ARNs in any region; regions are a condition."""
        if not self.kind:
            return "*"
        return arn_of(self.kind, "*", account, *(value.replace(NAME, name) for value in self.values))


def _ec2() -> Iterator[Scope]:
    for kind in ("internet-gateway", "network-acl", "route-table", "security-group", "subnet", "vpc", "vpc-endpoint"):
        yield Scope(f"{kind} of a run", f"ec2:{kind}", ("*",), Tagged.RESOURCE)
        yield Scope(f"new {kind}", f"ec2:{kind}", ("*",), Tagged.REQUEST)
    # The default VPC, its gateway and its ACL are the account's own, and carry no tag of a run.
    for kind in ("internet-gateway", "network-acl", "vpc"):
        yield Scope(f"any {kind}", f"ec2:{kind}", ("*",))


_COLLECTIONS = {"API": "restapis", "usage plan": "usageplans", "API key": "apikeys", "domain name": "domainnames"}


def _api_gateway() -> Iterator[Scope]:
    for what, path in _COLLECTIONS.items():
        yield Scope(f"{what} of a run", PATH, (f"/{path}/*",), Tagged.RESOURCE)
        yield Scope(f"{what} list", PATH, (f"/{path}",), Tagged.REQUEST)
    yield Scope("tags", PATH, ("/tags/*",))


SCOPES: tuple[Scope, ...] = (
    Scope("anything", "", ()),
    Scope("certificate", "acm:certificate", ("*",), Tagged.RESOURCE),
    Scope("new certificate", "acm:certificate", ("*",), Tagged.REQUEST),
    Scope("alarm", "cloudwatch:alarm", (NAME,)),
    Scope("alarm of Application Auto Scaling", "cloudwatch:alarm", (f"TargetTracking-function:{NAME}",)),
    Scope("bucket", "s3:bucket", (NAME,)),
    Scope("bucket of locks", "s3:bucket", ("failover-drill-lock-*",)),
    Scope("change", "route53:change", ("*",)),
    Scope("cluster", "rds:cluster", (NAME,)),
    Scope("cluster snapshot", "rds:cluster-snapshot", (NAME,)),
    Scope("distribution", "cloudfront:distribution", ("*",), Tagged.RESOURCE),
    Scope("reader", "lambda:function", (f"{NAME}-reader",)),
    Scope("function", "lambda:function", (NAME,)),
    Scope("alias of a function", "lambda:function alias", (NAME, "*")),
    Scope("global cluster", "rds:global-cluster", (NAME,)),
    Scope("health check", "route53:healthcheck", ("*",)),
    Scope("hosted zone", "route53:hostedzone", ("*",)),
    Scope("instance", "rds:db", (NAME,)),
    Scope("key of a run", "kms:key", ("*",), Tagged.RESOURCE),
    Scope("new key", "kms:key", ("*",), Tagged.REQUEST),
    Scope("alias of a key", "kms:alias", (NAME,)),
    Scope("lock", "s3:object", ("failover-drill-lock-*", "*")),
    Scope("log group of a function", "logs:log-group", (f"/aws/lambda/{NAME}",)),
    Scope("object", "s3:object", (NAME, "*")),
    Scope("cluster parameter group", "rds:cluster-pg", ("*",)),
    Scope("parameter group", "rds:pg", ("*",)),
    Scope("option group", "rds:og", ("default:*",)),
    Scope("role of a run", "iam:role", (NAME,)),
    Scope("service-linked role", "iam:role", ("aws-service-role/*",)),
    Scope("rule", "events:rule-on-default-event-bus", (NAME,)),
    Scope("safety lever", "fis:safety-lever", ("*",)),
    Scope("scalable target", "application-autoscaling:ScalableTarget", ("*",)),
    Scope("secret", "secretsmanager:Secret", (NAME,)),
    Scope("subnet group", "rds:subgrp", (NAME,)),
    Scope("topic", "sns:topic", (NAME,)),
    Scope("any alarm", "cloudwatch:alarm", ("*",)),
    Scope("any cluster", "rds:cluster", ("*",)),
    Scope("any instance", "rds:db", ("*",)),
    Scope("any policy", "iam:policy", ("*",)),
    Scope("any role", "iam:role", ("*",)),
    Scope("any function", "lambda:function", ("*",)),
    Scope("any global cluster", "rds:global-cluster", ("*",)),
    Scope("any cluster snapshot", "rds:cluster-snapshot", ("*",)),
    Scope("any subnet group", "rds:subgrp", ("*",)),
    Scope("any log group", "logs:log-group", ("*",)),
    Scope("any topic", "sns:topic", ("*",)),
    Scope("any rule", "events:rule-on-default-event-bus", ("*",)),
    Scope("any secret", "secretsmanager:Secret", ("*",)),
    Scope("any bucket", "s3:bucket", ("*",)),
    *_ec2(),
    *_api_gateway(),
)  # fmt: skip
"""Of two that cover a request, the one that stands first is meant."""
BY_NAME: Mapping[str, Scope] = {scope.name: scope for scope in SCOPES}


class NoScope(Exception):
    """No scope covers a request; the message says which."""


def scope_of(request: Request, *, name: str, tag: str) -> Scope:
    """The narrowest scope that a request falls in, where names begin with `name` and `tag` is the key of a run's tag."""
    reads = reference().action(request.action).reads
    for scope in SCOPES:
        if scope.kind != request.kind or not like(scope.arn("*", name), request.arn):
            continue
        makes = scope.tagged is Tagged.REQUEST
        if request.new != makes and (request.new or not reads):
            continue
        if scope.tagged is Tagged.RESOURCE and not reads and f"{RESOURCE_TAG}{tag}" not in request.context:
            continue
        return scope
    raise NoScope(f"{request.action} on {request.arn} is in no scope")
