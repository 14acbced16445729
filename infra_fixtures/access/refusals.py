"""What AWS calls each reason not to believe a request, by protocol.

Query and REST XML: https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
JSON: https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html
S3: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from __future__ import annotations

from collections.abc import Mapping

from infra_fixtures.access.authentication import AuthFailure

QUERY: Mapping[AuthFailure, str] = {
    AuthFailure.UNSIGNED: "MissingAuthenticationToken",
    AuthFailure.INCOMPLETE: "IncompleteSignature",
    AuthFailure.UNKNOWN_KEY: "InvalidClientTokenId",
    AuthFailure.MISMATCH: "SignatureDoesNotMatch",
    AuthFailure.EXPIRED: "SignatureDoesNotMatch",
    AuthFailure.OTHER_PAYLOAD: "SignatureDoesNotMatch",
}
JSON: Mapping[AuthFailure, str] = {
    AuthFailure.UNSIGNED: "MissingAuthenticationTokenException",
    AuthFailure.INCOMPLETE: "IncompleteSignatureException",
    AuthFailure.UNKNOWN_KEY: "UnrecognizedClientException",
    AuthFailure.MISMATCH: "InvalidSignatureException",
    AuthFailure.EXPIRED: "InvalidSignatureException",
    AuthFailure.OTHER_PAYLOAD: "InvalidSignatureException",
}
S3: Mapping[AuthFailure, str] = {
    AuthFailure.UNSIGNED: "AccessDenied",
    AuthFailure.INCOMPLETE: "AccessDenied",
    AuthFailure.UNKNOWN_KEY: "InvalidAccessKeyId",
    AuthFailure.MISMATCH: "SignatureDoesNotMatch",
    AuthFailure.EXPIRED: "RequestTimeTooSkewed",
    AuthFailure.OTHER_PAYLOAD: "XAmzContentSHA256Mismatch",
}
