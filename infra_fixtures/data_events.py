"""Which calls CloudTrail takes for data events, which it keeps only where a trail asks for them."""

from __future__ import annotations

import re

DATA_EVENTS = {
    "s3": re.compile(r"(Put|Delete|Copy|Restore)Objects?(Tagging|Acl)?$|.*MultipartUpload$|UploadPart"),
    "lambda": re.compile(r"Invoke"),
    "sns": re.compile(r"Publish"),
    "sqs": re.compile(r"(Send|Delete)Message|ChangeMessageVisibility"),
    "cloudwatch": re.compile(r"PutMetricData"),
    "logs": re.compile(r"PutLogEvents"),
    "events": re.compile(r"PutEvents"),
}
"""Operations by service that are data events
(https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html)."""


def is_data_event(service: str, operation: str) -> bool:
    """By boto3's name of the service."""
    kind = DATA_EVENTS.get(service)
    return kind is not None and kind.match(operation) is not None
