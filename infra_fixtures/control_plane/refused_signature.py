"""How AWS refuses a request that it does not believe: the code's name, status and form depend on the service's protocol.

EC2: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

import uuid
from xml.sax.saxutils import escape

import msgspec
from multidict import CIMultiDict

from infra_fixtures.access.authentication import AuthFailure, NotAuthenticated
from infra_fixtures.access.refusals import JSON, QUERY, S3
from infra_fixtures.control_plane.backend import Answer, Call

REST_JSON = frozenset({"lambda", "apigateway", "fis"})
"""Services of the JSON protocols whose requests do not say so in their content type."""


def refusal(refused: NotAuthenticated, signing_name: str, call: Call) -> Answer:
    """The answer to a call that was not believed."""
    message, request_id = str(refused), str(uuid.uuid4())
    headers: CIMultiDict[str] = CIMultiDict({"x-amzn-requestid": request_id})
    if signing_name in REST_JSON or "json" in call.headers.get("Content-Type", ""):
        code = JSON[refused.failure]
        headers.update({"content-type": "application/json", "x-amzn-errortype": code})
        return Answer(403, headers, msgspec.json.encode({"__type": code, "message": message}))
    headers["content-type"] = "text/xml"
    if signing_name == "s3" and "x-www-form-urlencoded" not in call.headers.get("Content-Type", ""):
        status = 400 if refused.failure is AuthFailure.OTHER_PAYLOAD else 403
        error = f"<Error>{_code(S3[refused.failure], message)}<RequestId>{request_id}</RequestId></Error>"
        return Answer(status, headers, _document(error))
    if signing_name == "ec2":
        said = "AWS was not able to validate the provided access credentials"
        errors = f"<Errors><Error>{_code('AuthFailure', said)}</Error></Errors>"
        return Answer(401, headers, _document(f"<Response>{errors}<RequestID>{request_id}</RequestID></Response>"))
    error = f"<Error><Type>Sender</Type>{_code(QUERY[refused.failure], message)}</Error>"
    whole = f"<ErrorResponse>{error}<RequestId>{request_id}</RequestId></ErrorResponse>"
    return Answer(403, headers, _document(whole))


def _code(code: str, message: str) -> str:
    return f"<Code>{code}</Code><Message>{escape(message)}</Message>"


def _document(root: str) -> bytes:
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + root.encode()
