"""What calls and their answers have told of resources that have ids for names: their tags, and what they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from infra_fixtures.permissions.calls import Call

Tags = Mapping[str, str]


class Known:
    """It grows with every call that is noted; ids are unique to their service."""

    def __init__(self) -> None:
        self._tags: dict[str, Tags] = {}
        self._keys: dict[str, str] = {}
        """KMS: key ids by region and alias."""
        self._bound: dict[str, tuple[str, ...]] = {}
        """EC2: what an association binds."""
        self._secret_keys: dict[str, str] = {}

    def tags(self, identity: str) -> Tags:
        """The tags of a resource; none where nothing is known of it."""
        return self._tags.get(identity, {})

    def key_id(self, region: str, name: str) -> str:
        """A KMS key's id by id, ARN or alias; the name itself where the alias is unknown."""
        return self._keys.get(f"{region} {name}", name.rpartition("/")[2] if name.startswith("arn:") else name)

    def bound_by(self, association: str) -> tuple[str, ...]:
        """The subnet, and the table or ACL, that an association of EC2 binds."""
        return self._bound.get(association, ())

    def key_of_secret(self, secret: str, region: str) -> str:
        """The KMS key of a secret by its name or ARN; empty where it is unknown."""
        name = secret.split(":")[6][:-7] if secret.startswith("arn:") else secret
        return self._secret_keys.get(f"{region} {name}", "")

    def note(self, call: Call, answer: Mapping[str, Any]) -> None:
        """Learn from a call that was answered."""
        given = call.parameters
        match call.service, call.operation:
            case "kms", "CreateKey":
                self._tags[str(answer["KeyMetadata"]["KeyId"])] = _pairs(given.get("Tags", ()))
            case "kms", "CreateAlias":
                self._keys[f"{call.region} {given['AliasName']}"] = str(given["TargetKeyId"])
            case "secretsmanager", "CreateSecret":
                replicas = [*given.get("AddReplicaRegions", ()), {"Region": call.region, "KmsKeyId": given["KmsKeyId"]}]
                for each in replicas:
                    self._secret_keys[f"{each['Region']} {given['Name']}"] = str(each["KmsKeyId"])
            case "acm", "RequestCertificate":
                self._tags[str(answer["CertificateArn"])] = _pairs(given["Tags"])
            case "ec2", "CreateTags":
                for identity in given["Resources"]:
                    self._tags[str(identity)] = _pairs(given["Tags"])
            case "ec2", "AssociateRouteTable":
                self._bound[str(answer["AssociationId"])] = (given["RouteTableId"], given["SubnetId"])
            case "ec2", _:
                self._note_ec2(call, answer)
            case "apigateway", _ if call.operation.startswith("Create") and given.get("tags"):
                made = str(answer.get("id") or given.get("domainName"))
                self._tags[made] = dict(given["tags"])
            case "cloudfront", "CreateDistributionWithTags":
                tags = given["DistributionConfigWithTags"]["Tags"]["Items"]
                self._tags[str(answer["Distribution"]["Id"])] = _pairs(tags)

    def _note_ec2(self, call: Call, answer: Mapping[str, Any]) -> None:
        for acl in answer.get("NetworkAcls", ()):
            for each in acl["Associations"]:
                self._bound[str(each["NetworkAclAssociationId"])] = (str(each["SubnetId"]),)
        if call.operation == "ReplaceNetworkAclAssociation":
            self._bound[str(answer["NewAssociationId"])] = self.bound_by(str(call.parameters["AssociationId"]))
        for specified in call.parameters.get("TagSpecifications", ()):
            for identity in _ids(answer, str(specified["ResourceType"])):
                self._tags[identity] = _pairs(specified["Tags"])


def tags_given(call: Call) -> Tags:
    """The tags that a call gives to what it makes or touches, in whichever of AWS's spellings."""
    given = call.parameters
    if "TagSpecifications" in given:
        return {k: v for specified in given["TagSpecifications"] for k, v in _pairs(specified["Tags"]).items()}
    if call.operation == "CreateDistributionWithTags":
        return _pairs(given["DistributionConfigWithTags"]["Tags"]["Items"])
    tags = given.get("Tags") or given.get("tags") or given.get("AddTags") or ()
    return dict(tags) if isinstance(tags, Mapping) else _pairs(tags)


def _pairs(tags: Iterable[Mapping[str, Any]]) -> Tags:
    return {str(t.get("Key", t.get("TagKey"))): str(t.get("Value", t.get("TagValue"))) for t in tags}


def _ids(answer: Mapping[str, Any], kind: str) -> Iterator[str]:
    """The ids of what a call of EC2 made, such as SubnetId of a subnet, at the top or one below."""
    name = "".join(part.capitalize() for part in kind.split("-")) + "Id"
    name = {"SecurityGroupId": "GroupId"}.get(name, name)
    for held in (answer, *(v for v in answer.values() if isinstance(v, Mapping))):
        if name in held:
            yield str(held[name])
