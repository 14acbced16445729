"""Requests as botocore sends them are named as botocore names them."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from infra_fixtures.control_plane.attribution import scope_of
from infra_fixtures.control_plane.operations import Operation, operation_of

CHANGE = {"Action": "DELETE", "ResourceRecordSet": {"Name": "n", "Type": "A"}}
CALLS: list[tuple[str, str, dict[str, Any], Operation]] = [
    ("s3", "put_object", {"Bucket": "b", "Key": "a/ü k", "Body": b"x"}, Operation("s3", "PutObject", "b/a/ü k")),
    ("s3", "delete_object", {"Bucket": "b", "Key": "k"}, Operation("s3", "DeleteObject", "b/k")),
    (
        "s3",
        "delete_objects",
        {"Bucket": "b", "Delete": {"Objects": [{"Key": "k"}]}},
        Operation("s3", "DeleteObjects", "b"),
    ),
    ("rds", "reboot_db_instance", {"DBInstanceIdentifier": "d"}, Operation("rds", "RebootDBInstance", "d")),
    (
        "s3",
        "copy_object",
        {"Bucket": "b", "Key": "k", "CopySource": {"Bucket": "b", "Key": "j"}},
        Operation("s3", "CopyObject", "b/k"),
    ),
    (
        "s3",
        "upload_part",
        {"Bucket": "b", "Key": "k", "PartNumber": 1, "UploadId": "u", "Body": b""},
        Operation("s3", "UploadPart", "b/k"),
    ),
    (
        "s3",
        "complete_multipart_upload",
        {"Bucket": "b", "Key": "k", "UploadId": "u"},
        Operation("s3", "CompleteMultipartUpload", "b/k"),
    ),
    (
        "s3",
        "put_bucket_replication",
        {"Bucket": "b", "ReplicationConfiguration": {"Role": "r", "Rules": []}},
        Operation("s3", "PutBucketReplication", "b"),
    ),
    ("s3", "put_bucket_policy", {"Bucket": "b", "Policy": "{}"}, Operation("s3", "PutBucketPolicy", "b")),
    (
        "s3",
        "put_bucket_notification_configuration",
        {"Bucket": "b", "NotificationConfiguration": {}},
        Operation("s3", "PutBucketNotificationConfiguration", "b"),
    ),
    ("s3", "create_bucket", {"Bucket": "b"}, Operation("s3", "CreateBucket", "b")),
    (
        "lambda",
        "create_function",
        {"FunctionName": "orders", "Role": "arn:aws:iam::123456789012:role/r", "Code": {"ZipFile": b"x"}},
        Operation("lambda", "CreateFunction", "orders"),
    ),
    (
        "lambda",
        "put_function_concurrency",
        {"FunctionName": "orders", "ReservedConcurrentExecutions": 0},
        Operation("lambda", "PutFunctionConcurrency", "orders"),
    ),
    ("lambda", "invoke", {"FunctionName": "orders"}, Operation("lambda", "Invoke", "orders")),
    (
        "route53",
        "change_resource_record_sets",
        {
            "HostedZoneId": "Z1",
            "ChangeBatch": {"Changes": [{"Action": "DELETE", "ResourceRecordSet": {"Name": "n", "Type": "A"}}]},
        },
        Operation("route53", "ChangeResourceRecordSets", "Z1"),
    ),
    (
        "route53",
        "update_health_check",
        {"HealthCheckId": "h-1", "Inverted": True},
        Operation("route53", "UpdateHealthCheck", "h-1"),
    ),
    (
        "apigateway",
        "put_integration",
        {"restApiId": "a", "resourceId": "r", "httpMethod": "GET", "type": "AWS_PROXY"},
        Operation("apigateway", "PutIntegration", "a/r/GET"),
    ),
    (
        "apigateway",
        "create_deployment",
        {"restApiId": "a"},
        Operation("apigateway", "CreateDeployment", "a"),
    ),
    ("rds", "describe_db_clusters", {}, Operation("rds", "DescribeDBClusters")),
    (
        "rds",
        "failover_global_cluster",
        {"GlobalClusterIdentifier": "g", "TargetDbClusterIdentifier": "c"},
        Operation("rds", "FailoverGlobalCluster"),
    ),
    (
        "ec2",
        "revoke_security_group_ingress",
        {"GroupId": "sg-1"},
        Operation("ec2", "RevokeSecurityGroupIngress"),
    ),
    ("kms", "disable_key", {"KeyId": "k"}, Operation("kms", "DisableKey")),
    ("sns", "publish", {"TopicArn": "t", "Message": "m"}, Operation("sns", "Publish")),
    (
        "cloudwatch",
        "put_metric_data",
        {"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1.0}]},
        Operation("cloudwatch", "PutMetricData"),
    ),
    ("events", "put_rule", {"Name": "r"}, Operation("events", "PutRule")),
    ("secretsmanager", "get_secret_value", {"SecretId": "s"}, Operation("secretsmanager", "GetSecretValue")),
]


@pytest.mark.parametrize(("service", "method", "arguments", "expected"), CALLS, ids=[f"{c[0]}.{c[1]}" for c in CALLS])
def test_a_call_is_named_as_botocore_names_it(
    service: str, method: str, arguments: dict[str, Any], expected: Operation
) -> None:
    """The service, the operation and what the path names are read from the bytes botocore would send."""
    request = _sent(service, method, arguments)
    headers = {k: v.decode() if isinstance(v, bytes) else v for k, v in request.headers.items()}
    path = request.url.removeprefix("http://127.0.0.1:9")
    body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
    scope = scope_of(headers, path)
    assert operation_of(scope.signing_name, request.method, path, _Anycase(headers), body) == expected


def test_reading_and_using_change_nothing() -> None:
    """Reconcilers are nudged by changes alone."""
    assert Operation("s3", "PutObject").changes
    assert Operation("rds", "SwitchoverGlobalCluster").changes
    for name in ("DescribeDBClusters", "ListBuckets", "GetObject", "BatchGetItem", "Invoke", "Decrypt", "AssumeRole"):
        assert not Operation("any", name).changes, name


def test_an_unknown_request_is_named_so() -> None:
    """A path no model has is Unknown, and may change anything."""
    found = operation_of("lambda", "POST", "/nowhere", {}, b"")
    assert (found.name, found.changes) == ("Unknown", True)
    assert operation_of("no-such-service", "PUT", "/x", {}, b"").name == "Unknown"


class _Anycase(dict[str, str]):
    """Header lookup as aiohttp has it."""

    def __init__(self, headers: dict[str, str]) -> None:
        super().__init__({k.lower(): v for k, v in headers.items()})

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key.lower(), default)

    def __contains__(self, key: object) -> bool:
        return super().__contains__(str(key).lower())


def _sent(service: str, method: str, arguments: dict[str, Any]) -> AWSPreparedRequest:
    """The request that botocore would put on the wire, caught before it is."""
    client = boto3.session.Session().client(
        service,
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1:9",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(s3={"addressing_style": "path"}),
    )
    caught: list[AWSPreparedRequest] = []

    def catch(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        caught.append(request)
        raise _Caught

    client.meta.events.register("before-send", catch)
    with pytest.raises(_Caught):
        getattr(client, method)(**arguments)
    return caught[0]


class _Caught(Exception):
    """Stops botocore at the wire."""


@pytest.fixture(autouse=True)
def _no_host_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore must not look at this machine's AWS configuration."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
