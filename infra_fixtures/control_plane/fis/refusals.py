"""How FIS says no: its four exceptions, with the HTTP status that botocore's model gives each."""

from __future__ import annotations


class FisError(Exception):
    """An answer that is an error; `code` names the exception, the message is its text."""

    status = 400
    code = "ValidationException"


class Invalid(FisError):
    """The input does not satisfy a constraint."""


class NotFound(FisError):
    """There is no such resource."""

    status = 404
    code = "ResourceNotFoundException"


class Conflict(FisError):
    """The request contradicts the state of a resource, or an earlier request with its token."""

    status = 409
    code = "ConflictException"


class QuotaExceeded(FisError):
    """One of FIS's quotas: https://docs.aws.amazon.com/fis/latest/userguide/fis-quotas.html."""

    status = 402
    code = "ServiceQuotaExceededException"


class NotHere(FisError):
    """An operation of FIS that this model does not have."""

    status = 501
    code = "NotImplemented"
