"""The answers API Gateway gives by itself ("gateway responses"): bodies, statuses and error types as REST APIs send them.

A client cannot tell from a 5xx of the gateway whether the function ran, and neither can it here: 500 and 502 share body
and error type. Sources: API Gateway developer guide, "Gateway response types"; what a Lambda proxy integration answers
where Lambda throttles it (500, INTEGRATION_FAILURE, execution log "Lambda invocation failed with status: 429") and where
the function fails (502): https://repost.aws/questions/QUfI6bsdd0SOiPeyimzxSkfQ, and the access logs quoted in
https://github.com/DataBiosphere/azul/pull/6624.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GatewayResponse:
    """One gateway response; `kind` is its type's name (what $context.error.responseType says)."""

    status: int
    kind: str
    error_type: str
    body: bytes


UNKNOWN_HOST = GatewayResponse(403, "ACCESS_DENIED", "ForbiddenException", b'{"message":"Forbidden"}')
MISSING_AUTHENTICATION_TOKEN = GatewayResponse(
    403,
    "MISSING_AUTHENTICATION_TOKEN",
    "MissingAuthenticationTokenException",
    b'{"message":"Missing Authentication Token"}',
)
INVALID_API_KEY = GatewayResponse(403, "INVALID_API_KEY", "ForbiddenException", b'{"message":"Forbidden"}')
REQUEST_TOO_LARGE = GatewayResponse(
    413,
    "REQUEST_TOO_LARGE",
    "RequestEntityTooLargeException",
    b'{"message":"HTTP content length exceeded 10485760 bytes."}',
)
THROTTLED = GatewayResponse(429, "THROTTLED", "TooManyRequestsException", b'{"message":"Too Many Requests"}')
QUOTA_EXCEEDED = GatewayResponse(429, "QUOTA_EXCEEDED", "LimitExceededException", b'{"message":"Limit Exceeded"}')

_INTERNAL = b'{"message": "Internal server error"}'
CONFIGURATION_ERROR = GatewayResponse(500, "API_CONFIGURATION_ERROR", "InternalServerErrorException", _INTERNAL)
INTEGRATION_FAILURE = GatewayResponse(500, "INTEGRATION_FAILURE", "InternalServerErrorException", _INTERNAL)
BAD_INTEGRATION_ANSWER = GatewayResponse(502, "DEFAULT_5XX", "InternalServerErrorException", _INTERNAL)
INTEGRATION_TIMEOUT = GatewayResponse(
    504, "INTEGRATION_TIMEOUT", "InternalServerErrorException", b'{"message": "Endpoint request timed out"}'
)
