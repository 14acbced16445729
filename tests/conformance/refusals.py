"""That a call is refused, with the error AWS gives."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from tests.conformance.backends import not_offered


@contextlib.contextmanager
def refused(*codes: str) -> Iterator[None]:
    """The block ends in a ClientError of one of these codes; that a service is not offered is no refusal."""
    with pytest.raises(ClientError) as caught:
        yield
    if not_offered(caught.value):
        raise caught.value
    assert caught.value.response["Error"]["Code"] in codes, caught.value
