"""aws:ssm:start-automation-execution executes a document's steps as its role, undoes when stopped, and refuses the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drill.wait import wait_until
from tests.infra_fixtures.conftest import AwsClient
from tests.infra_fixtures.control_plane.fis.conftest import Experiments, refused, role_for

SSM_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ssm.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
DOCUMENT_ARN = "arn:aws:ssm:us-east-1:123456789012:document/"
BUCKET = "impaired"
DENY = """
import boto3, json, time

def deny(events, context):
    s3 = boto3.client("s3")
    statement = {"Sid": "FISDeny", "Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
                 "Resource": f"arn:aws:s3:::{events['bucket']}/*"}
    s3.put_bucket_policy(Bucket=events["bucket"], Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    time.sleep(0.5)
    print("denied")
    return {"bucket": events["bucket"], "who": boto3.client("sts").get_caller_identity()["Account"]}

def allow(events, context):
    boto3.client("s3").delete_bucket_policy(Bucket=events["bucket"])
"""


def script(handler: str, payload: Mapping[str, Any], text: str = DENY) -> dict[str, Any]:
    """The inputs of an aws:executeScript step."""
    return {"Runtime": "python3.11", "Handler": handler, "Script": text, "InputPayload": payload}


def impairment(duration: str) -> list[dict[str, Any]]:
    """Deny, wait, allow again: also when it fails or is cancelled."""
    clean = {"onFailure": "step:allow", "onCancel": "step:allow"}
    return [
        {
            "name": "deny", "action": "aws:executeScript", **clean, "inputs": script("deny", {"bucket": "{{ Bucket }}"}),
            "outputs": [{"Name": "bucket", "Selector": "$.Payload.bucket", "Type": "String"}],
        },
        {"name": "hold", "action": "aws:sleep", **clean, "inputs": {"Duration": duration}},
        {
            "name": "allow", "action": "aws:executeScript", "inputs": script("allow", {"bucket": "{{ deny.bucket }}"}),
            "isEnd": True,
        },
    ]  # fmt: skip


class Documents:
    """Makes documents, and actions that start them."""

    def __init__(self, ssm: Any, role: str) -> None:
        self.ssm = ssm
        self.role = role
        self._count = 0

    def action(self, steps: list[dict[str, Any]], **parameters: str) -> dict[str, Any]:
        """An action that starts a new document of these steps."""
        self._count += 1
        name = f"document-{self._count}"
        content = {
            "schemaVersion": "0.3",
            "assumeRole": "{{ AutomationAssumeRole }}",
            "parameters": {
                "Bucket": {"type": "String", "default": BUCKET},
                "Mode": {"type": "String", "default": "hard", "allowedValues": ["hard", "soft"]},
                "AutomationAssumeRole": {"type": "String", "default": self.role},
            },
            "mainSteps": steps,
        }
        self.ssm.create_document(
            Name=name, DocumentType="Automation", DocumentFormat="JSON", Content=json.dumps(content)
        )
        given = {
            "documentArn": DOCUMENT_ARN + name,
            "documentParameters": json.dumps(parameters),
            "maxDuration": "PT10M",
        }
        return {"actionId": "aws:ssm:start-automation-execution", "parameters": given}


@pytest.fixture(scope="module")
def documents(aws_client: AwsClient) -> Documents:
    """Documents whose role Systems Manager may assume."""
    return Documents(aws_client("ssm"), role_for(aws_client("iam"), "automation", SSM_TRUST))


@pytest.fixture(scope="module")
def s3(aws_client: AwsClient) -> Any:
    """S3, with an object in the bucket."""
    client = aws_client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="key", Body=b"body")
    return client


def readable(s3: Any) -> bool:
    """Whether the object can be read."""
    try:
        s3.get_object(Bucket=BUCKET, Key="key")
    except ClientError as e:
        if e.response["ResponseMetadata"]["HTTPStatusCode"] == 403:
            return False
        raise
    return True


def test_a_document_bites_and_puts_back(experiments: Experiments, documents: Documents, s3: Any) -> None:
    """Its script denies the bucket to everybody for as long as it sleeps; then all is as before."""
    started = experiments.start({"impair": documents.action(impairment("PT2M"))})
    wait_until(lambda: not readable(s3), what="the denial", timeout_s=4)
    ended = experiments.ended(started)
    assert ended["state"]["status"] == "completed", ended["state"]
    assert readable(s3)


def test_stopped_a_document_cleans_up(experiments: Experiments, documents: Documents, s3: Any) -> None:
    """The execution is cancelled: the step that its document names for that is done before the experiment has stopped."""
    started = experiments.start({"impair": documents.action(impairment("PT12H"))})
    wait_until(lambda: not readable(s3), what="the denial", timeout_s=10)
    experiments.fis.stop_experiment(id=started)
    assert experiments.ended(started)["state"]["status"] == "stopped"
    assert readable(s3)


def test_what_cannot_be_cleaned_up_is_told(experiments: Experiments, documents: Documents, s3: Any) -> None:
    """A clean-up that fails fails the stopped action, and names the step."""
    steps = impairment("PT12H")
    steps[-1]["inputs"]["Script"] = "def allow(events, context):\n  raise ValueError('no such luck')\n"
    started = experiments.start({"impair": documents.action(steps)})
    wait_until(lambda: not readable(s3), what="the denial", timeout_s=10)
    experiments.fis.stop_experiment(id=started)
    ended = experiments.ended(started)
    s3.delete_bucket_policy(Bucket=BUCKET)
    assert ended["state"]["status"] == "failed"
    assert "Not put back: " in ended["actions"]["impair"]["state"]["reason"]
    assert "allow: ValueError: no such luck" in ended["actions"]["impair"]["state"]["reason"]


def test_calls_waits_asserts_and_branches(experiments: Experiments, documents: Documents, s3: Any) -> None:
    """executeAwsApi with its outputs, the properties, and a branch on a parameter that leaves a step out."""
    steps: list[dict[str, Any]] = [
        {
            "name": "tag", "action": "aws:executeAwsApi",
            "inputs": {
                "Service": "s3", "Api": "PutBucketTagging", "Bucket": "{{ Bucket }}",
                "Tagging": {"TagSet": [{"Key": "by", "Value": "{{ global:REGION }}-{{ Mode }}"}]},
            },
        },
        {
            "name": "read", "action": "aws:executeAwsApi",
            "inputs": {"Service": "s3", "Api": "GetBucketTagging", "Bucket": "{{ Bucket }}"},
            "outputs": [{"Name": "by", "Selector": "$.TagSet[0].Value", "Type": "String"}],
        },
        {
            "name": "await", "action": "aws:waitForAwsResourceProperty", "timeoutSeconds": 5,
            "inputs": {
                "Service": "s3", "Api": "GetBucketTagging", "Bucket": "{{ Bucket }}",
                "PropertySelector": "$.TagSet[0].Value", "DesiredValues": ["{{ read.by }}"],
            },
        },
        {
            "name": "choose", "action": "aws:branch",
            "inputs": {
                "Choices": [{"NextStep": "assert", "Variable": "{{ read.by }}", "StringEquals": "us-east-1-soft"}],
                "Default": "never",
            },
        },
        {"name": "never", "action": "aws:executeAwsApi", "inputs": {"Service": "s3", "Api": "DeleteBucket", "Bucket": "x"}},
        {
            "name": "assert", "action": "aws:assertAwsResourceProperty",
            "inputs": {
                "Service": "s3", "Api": "GetBucketTagging", "Bucket": "{{ Bucket }}",
                "PropertySelector": "$.TagSet[0].Value", "DesiredValues": ["us-east-1-soft"],
            },
        },
    ]  # fmt: skip
    ended = experiments.ended(experiments.start({"a": documents.action(steps, Mode="soft")}))
    assert ended["state"]["status"] == "completed", ended["state"]
    assert s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"] == [{"Key": "by", "Value": "us-east-1-soft"}]
    failed = experiments.ended(experiments.start({"a": documents.action(steps, Mode="hard")}))
    assert failed["state"]["status"] == "failed"
    assert "Step never failed" in failed["state"]["reason"]


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([{"name": "run", "action": "aws:runCommand", "inputs": {}}], "Step run of .* is aws:runCommand"),
        (
            [{"name": "call", "action": "aws:executeAwsApi", "inputs": {"Service": "ecs", "Api": "ListClusters"}}],
            "does not have the service ecs",
        ),
        (
            [
                {
                    "name": "swallow",
                    "action": "aws:executeScript",
                    "inputs": script(
                        "f",
                        {},
                        "import boto3\ndef f(events, context):\n"
                        "  try: boto3.client('sqs').list_queues()\n  except Exception: return 'all is well'\n",
                    ),
                }
            ],
            "called sqs:ListQueues, which this model of AWS does not have",
        ),
        (
            [
                {
                    "name": "raise",
                    "action": "aws:executeScript",
                    "inputs": script("f", {}, "def f(events, context):\n  raise ValueError('no such luck')\n"),
                }
            ],
            "ValueError: no such luck",
        ),
    ],
)
def test_what_is_not_done_fails(
    experiments: Experiments, documents: Documents, steps: list[dict[str, Any]], words: str
) -> None:
    """A step that cannot be done, or that calls what is not here, fails the experiment and is named."""
    ended = experiments.ended(experiments.start({"a": documents.action(steps)}))
    assert ended["state"]["status"] == "failed"
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(ended["state"]["reason"])


def test_a_document_is_asked_for_properly(documents: Documents, aws_client: AwsClient) -> None:
    """Unknown documents and parameters, values not allowed and roles that do not trust are refused as AWS names it."""
    name = documents.action(impairment("PT1M"))["parameters"]["documentArn"].rpartition("/")[2]

    def start(document: str = name, **parameters: list[str]) -> Any:
        return documents.ssm.start_automation_execution(DocumentName=document, Parameters=parameters)

    refused(lambda: start("nothing"), "AutomationDefinitionNotFoundException", "nothing")
    invalid = "InvalidAutomationExecutionParametersException"
    refused(lambda: start(Colour=["red"]), invalid, "Colour")
    refused(lambda: start(Mode=["odd"]), invalid, "hard, soft")
    other = aws_client("iam").create_role(RoleName="untrusting", AssumeRolePolicyDocument=json.dumps({"Statement": []}))
    refused(lambda: start(AutomationAssumeRole=[other["Role"]["Arn"]]), invalid, "cannot be assumed by ssm")
    refused(
        lambda: documents.ssm.get_automation_execution(AutomationExecutionId="0" * 36),
        "AutomationExecutionNotFoundException",
        "no automation execution",
    )
