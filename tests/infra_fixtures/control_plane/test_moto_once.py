"""What is worked out once, or late, is answered as before."""

from __future__ import annotations

import json
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError, UnknownServiceError
from botocore.loaders import Loader, create_loader

from infra_fixtures import aws_models
from tests.infra_fixtures.conftest import AwsClient

PETS = {
    "openapi": "3.0.1",
    "info": {"title": "pets", "version": "1", "description": "all of them"},
    "paths": {"/pets": {"get": {"responses": {"200": {"description": "all"}}}}},
}


def test_a_document_is_validated_when_an_api_is_imported(aws_client: AwsClient) -> None:
    """The validator is brought in then: a good document makes an API, a bad one is refused, twice alike."""
    apigateway = aws_client("apigateway")
    broken = {**PETS, "paths": {"/pets": {"get": "all"}}}
    for _ in range(2):
        made = apigateway.import_rest_api(body=json.dumps(PETS).encode(), failOnWarnings=True)
        assert made["name"] == "pets"
        with pytest.raises(ClientError) as refused:
            apigateway.import_rest_api(body=json.dumps(broken).encode(), failOnWarnings=True)
        assert refused.value.response["Error"]["Code"] == "BadRequestException"


def test_instance_types_are_offered_in_the_regions_of_a_run(aws_client: AwsClient) -> None:
    """What EC2 says of its instances is there for both, and what it says of other regions is not loaded."""
    for region in ("us-east-1", "us-west-2"):
        ec2 = aws_client("ec2", region)
        assert ec2.describe_instance_type_offerings()["InstanceTypeOfferings"]
        assert ec2.describe_instance_types(InstanceTypes=["m5.large"])["InstanceTypes"]


def test_only_a_pair_has_a_public_key(aws_client: AwsClient) -> None:
    """GetPublicKey of a symmetric key is UnsupportedOperationException; an RSA key signs and verifies."""
    kms = aws_client("kms")
    symmetric = kms.create_key()["KeyMetadata"]["KeyId"]
    with pytest.raises(kms.exceptions.UnsupportedOperationException):
        kms.get_public_key(KeyId=symmetric)
    pair = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    assert kms.get_public_key(KeyId=pair)["PublicKey"]
    how: dict[str, Any] = {"KeyId": pair, "Message": b"m", "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    assert kms.verify(**how, Signature=kms.sign(**how)["Signature"])["SignatureValid"]


def test_models_are_read_as_botocore_reads_them() -> None:
    """The same content, and each reader's own: botocore rewrites S3's when it makes a client."""
    aws_models.read_fast()
    loader = create_loader()
    for service in ("s3", "ec2", "lambda"):
        path = f"{Loader.BUILTIN_DATA_PATH}/{service}/{loader.determine_latest_version(service, 'service-2')}/service-2"
        read = Loader().file_loader.load_file(path)
        assert read == json.loads(json.dumps(read))
        read["operations"].clear()
        assert create_loader().load_service_model(service, "service-2")["operations"]


def test_services_are_known_as_botocore_knows_them() -> None:
    """One that is not there is unknown, and they can be listed."""
    aws_models.read_fast()
    session = botocore.session.get_session()
    with pytest.raises(UnknownServiceError):
        session.get_service_model("nonesuch")
    assert {"s3", "rds", "route53"} <= set(session.get_available_services())
