"""Which emulator serves which AWS service where LocalStack is the control plane: the one table, with a reason each.

Everything that is not in it is LocalStack's. Tried with 4.14.0, the last release that runs without a licence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MotoService:
    """A service (botocore's name) that moto answers.

    `lacking`: only where the LocalStack at hand does not have it. `unnamed`: only where LocalStack does not name endpoints
    after their region, which one that we did not start for that region does not.
    """

    service: str
    because: str
    lacking: bool = False
    unnamed: bool = False


TABLE = (
    MotoService("application-autoscaling", "not in the free licence", lacking=True),
    MotoService("autoscaling", "not in the free licence", lacking=True),
    MotoService("apigatewayv2", "not in the free licence", lacking=True),
    MotoService("cloudfront", "not in the free licence", lacking=True),
    MotoService(
        "rds",
        "not in the free licence; a licensed one has no door through which the PostgreSQL pair could say how it stands, "
        "and replicates nothing between regions",
    ),
    MotoService(
        "apigateway", "its domain names lead to a name without a region, which no record can alias", unnamed=True
    ),
    MotoService("route53", "its GetHealthCheckStatus is canned, and it takes contradicting records"),
    MotoService("cloudwatch", "evaluates alarms itself, at AWS's pace alone, and tells nobody of a change of state"),
    MotoService("events", "starts a schedule's targets itself, in its own Lambda, at AWS's pace alone"),
    MotoService("lambda", "needs Docker, and IAM in the same process, to take a function"),
    MotoService(
        "fis", "not in the free licence; its experiments are executed by the harness, as in the embedded target"
    ),
    MotoService("secretsmanager", "a secret's replica in another region would have to reach another LocalStack"),
)


def moto_services(offered: Iterable[str] = (), *, named: bool) -> frozenset[str]:
    """The services that go to moto.

    `offered` are those that a LocalStack already running says it has; `named` whether it names endpoints after regions.
    """
    available = set(offered)
    return frozenset(
        row.service for row in TABLE if not (row.lacking and row.service in available) and not (row.unnamed and named)
    )
