"""What an automation may call here: the services that this model has, so that no step is done to nothing."""

from __future__ import annotations

SERVICES = frozenset(
    {
        "apigateway", "application-autoscaling", "cloudfront", "cloudwatch", "ec2", "events", "fis", "iam", "kms", "lambda",
        "logs", "rds", "resourcegroupstaggingapi", "route53", "s3", "secretsmanager", "sns", "ssm", "sts",
    }
)  # fmt: skip
"""By botocore's names; a call of any other fails its step, whatever moto would answer."""


def refusal(service: str) -> str:
    """Why a step that calls a service was not done."""
    return f"this model of AWS does not have the service {service}"
