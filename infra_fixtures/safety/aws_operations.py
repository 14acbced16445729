"""Which calls of the AWS API change something. Whatever is not known to read only counts as changing.

The name says it (https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
sorts actions into List, Read, Write, ... but is in no model of botocore), the trait `readonly` of newer models does so
too, and the tables below hold what the name does not say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

READING = re.compile(r"(?:Describe|Get|List|Head|Search|Filter|Lookup|BatchGet|BatchDescribe)(?=[A-Z]|$)")

READS: Mapping[str, frozenset[str]] = {
    "events": frozenset({"TestEventPattern"}),
    "iam": frozenset({"SimulateCustomPolicy", "SimulatePrincipalPolicy"}),
    "logs": frozenset({"TestMetricFilter", "TestTransformer"}),
    "rds": frozenset({"DownloadDBLogFilePortion"}),
    "route53": frozenset({"TestDNSAnswer"}),
    "s3": frozenset({"SelectObjectContent"}),
    # What is done with the credentials that they give is judged call by call.
    "sts": frozenset({"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "DecodeAuthorizationMessage"}),
}
"""Operations, by service, that read only although their name does not say so."""

CHANGES: Mapping[str, frozenset[str]] = {
    "ec2": frozenset({"GetConsoleScreenshot"}),  # WakeUp types a key
    "ssm": frozenset({"GetDeployablePatchSnapshotForInstance"}),  # makes the snapshot where there is none
    "s3control": frozenset({"GetDataAccess"}),  # hands out credentials for writing
}
"""Operations, by service, that change something although their name sounds like reading."""


def changes(model: Any) -> bool:
    """Whether an operation (botocore's OperationModel) may change something."""
    service, name = model.service_model.service_name, model.name
    if name in CHANGES.get(service, ()):
        return True
    return not (is_marked_readonly(model) or READING.match(name) or name in READS.get(service, ()))


def is_marked_readonly(model: Any) -> bool:
    """Whether the operation's own model says that it reads only."""
    described = model.service_model._service_description["operations"][model.name]
    return bool(described.get("readonly"))


def regions_named(parameters: Mapping[str, Any]) -> Iterator[str]:
    """Other regions than the client's in which a call makes or takes away something."""
    for name in ("ReplicaRegion", "DestinationRegion"):  # KMS ReplicateKey; EC2 copies
        if region := parameters.get(name):
            yield str(region)
    for replica in parameters.get("AddReplicaRegions") or ():  # Secrets Manager
        yield str(replica.get("Region"))
    yield from map(str, parameters.get("RemoveReplicaRegions") or ())
    bucket = parameters.get("CreateBucketConfiguration") or {}
    if region := bucket.get("LocationConstraint"):
        yield "eu-west-1" if region == "EU" else str(region)
