"""What AWS calls each reason not to believe a request, by protocol.

Query and REST XML: https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
JSON: https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html
S3: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from collections.abc import Mapping

from infra_fixtures.access.authentication import Doubt

QUERY: Mapping[Doubt, str] = {
    Doubt.UNSIGNED: "MissingAuthenticationToken",
    Doubt.INCOMPLETE: "IncompleteSignature",
    Doubt.UNKNOWN_KEY: "InvalidClientTokenId",
    Doubt.MISMATCH: "SignatureDoesNotMatch",
    Doubt.EXPIRED: "SignatureDoesNotMatch",
    Doubt.OTHER_PAYLOAD: "SignatureDoesNotMatch",
}
JSON: Mapping[Doubt, str] = {
    Doubt.UNSIGNED: "MissingAuthenticationTokenException",
    Doubt.INCOMPLETE: "IncompleteSignatureException",
    Doubt.UNKNOWN_KEY: "UnrecognizedClientException",
    Doubt.MISMATCH: "InvalidSignatureException",
    Doubt.EXPIRED: "InvalidSignatureException",
    Doubt.OTHER_PAYLOAD: "InvalidSignatureException",
}
S3: Mapping[Doubt, str] = {
    Doubt.UNSIGNED: "AccessDenied",
    Doubt.INCOMPLETE: "AccessDenied",
    Doubt.UNKNOWN_KEY: "InvalidAccessKeyId",
    Doubt.MISMATCH: "SignatureDoesNotMatch",
    Doubt.EXPIRED: "RequestTimeTooSkewed",
    Doubt.OTHER_PAYLOAD: "XAmzContentSHA256Mismatch",
}
