"""Every operation of the services that the harness speaks to is known to read or counts as changing."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.model import OperationModel

from infra_fixtures.safety.aws_operations import CHANGES, READS, changes, is_marked_readonly, regions_named

SERVICES = (
    "apigateway",
    "application-autoscaling",
    "autoscaling",
    "cloudfront",
    "cloudwatch",
    "ec2",
    "events",
    "fis",
    "iam",
    "kms",
    "lambda",
    "logs",
    "rds",
    "resourcegroupstaggingapi",
    "route53",
    "s3",
    "s3control",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "sts",
)
SESSION = botocore.session.get_session()


def operations(service: str) -> list[OperationModel]:
    """Every operation that botocore knows of a service."""
    model = SESSION.get_service_model(service)
    return [model.operation_model(name) for name in model.operation_names]


def names(service: str, chosen: Any) -> set[str]:
    """The names of the operations that are chosen."""
    return {operation.name for operation in operations(service) if chosen(operation)}


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_model_marks_as_reading_reads(service: str) -> None:
    """The trait and our answer agree wherever a model has it."""
    assert names(service, is_marked_readonly) <= names(service, lambda o: not changes(o))


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_that_is_sent_to_change_counts_as_reading(service: str) -> None:
    """Of services that speak REST, the HTTP method tells as well: no PUT, PATCH or DELETE reads."""
    if not SESSION.get_service_model(service).protocol.startswith("rest"):
        assert operations(service), "a service that speaks POST alone has no methods to compare"
        return
    sent = names(service, lambda o: o.http["method"] in ("PUT", "PATCH", "DELETE"))
    assert sent
    assert sent <= names(service, changes)


@pytest.mark.parametrize("service", SERVICES)
def test_what_comes_in_pages_reads(service: str) -> None:
    """botocore pages what lists something, whatever its name is."""
    try:
        paged = set(SESSION.get_paginator_model(service)._paginator_config)
    except botocore.exceptions.DataNotFoundError:
        paged = set()
    assert paged & names(service, changes) == set()


@pytest.mark.parametrize("service", sorted({*READS, *CHANGES}))
def test_every_exception_is_one(service: str) -> None:
    """The tables name operations that exist, and whose name alone would have said otherwise."""
    known = names(service, lambda _: True)
    assert READS.get(service, frozenset()) <= known
    assert CHANGES.get(service, frozenset()) <= known
    assert all(not changes(o) for o in operations(service) if o.name in READS.get(service, ()))
    assert all(changes(o) for o in operations(service) if o.name in CHANGES.get(service, ()))


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("lambda", "PutFunctionConcurrency"),
        ("lambda", "Invoke"),
        ("ec2", "RevokeSecurityGroupIngress"),
        ("ec2", "ReplaceNetworkAclAssociation"),
        ("rds", "FailoverGlobalCluster"),
        ("route53", "UpdateHealthCheck"),
        ("kms", "DisableKey"),
        ("s3", "PutBucketPolicy"),
        ("fis", "StartExperiment"),
        ("cloudwatch", "SetAlarmState"),
        ("sqs", "ReceiveMessage"),
    ],
)
def test_faults_count_as_changing(service: str, operation: str) -> None:
    """Calls that faults are made of."""
    assert changes(SESSION.get_service_model(service).operation_model(operation))


@pytest.mark.parametrize(
    ("parameters", "regions"),
    [
        ({"KeyId": "k", "ReplicaRegion": "eu-west-1"}, ["eu-west-1"]),
        ({"SecretId": "s", "AddReplicaRegions": [{"Region": "eu-west-1"}]}, ["eu-west-1"]),
        ({"SecretId": "s", "RemoveReplicaRegions": ["eu-west-1"]}, ["eu-west-1"]),
        ({"Bucket": "b", "CreateBucketConfiguration": {"LocationConstraint": "EU"}}, ["eu-west-1"]),
        ({"Bucket": "b", "CreateBucketConfiguration": {"Tags": []}}, []),
        ({"FunctionName": "f"}, []),
    ],
)
def test_other_regions_are_found_in_parameters(parameters: dict[str, Any], regions: list[str]) -> None:
    """A call may make something in another region than the client's."""
    assert list(regions_named(parameters)) == regions
