"""The suite's own judgement: what counts as not offered, what the table shows, where it may be pointed."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.conformance.backends import PRIMARY, STANDBY, endpoint, known, localstack, not_offered
from tests.conformance.table import Cell, Table


def _error(status: int, message: str) -> ClientError:
    answer = {"Error": {"Code": "X", "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Call")


@pytest.mark.parametrize(
    ("error", "is_missing"),
    [
        (_error(501, "The API for service rds is either not included in your current license plan"), True),
        (_error(500, "This operation is not implemented"), True),
        (_error(500, "exception while calling lambda.UpdateFunctionConfiguration"), False),
        (_error(400, "no such group"), False),
        (AssertionError("not implemented"), False),
    ],
)
def test_only_the_backend_s_own_word_makes_a_service_not_offered(error: Exception, is_missing: bool) -> None:
    """A crash or a refusal is a difference, whatever a test says of it."""
    assert (not_offered(error) is not None) is is_missing


def test_a_check_with_several_cases_shows_the_one_that_does_not_hold() -> None:
    """A case that holds afterwards does not hide it; the last line counts checks."""
    table = Table()
    for cell, why in ((Cell.HOLDS, ""), (Cell.DIFFERS, "kept as made"), (Cell.HOLDS, "")):
        table.put("dns", "a check can be switched", "localstack", cell, why)
    lines = table.lines()
    assert "differs" in lines[1]
    assert "localstack, dns a check can be switched: kept as made" in lines
    assert lines[-1] == "conformance: localstack: 1 differs"


def test_endpoints_elsewhere_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks leave things behind, so no account is reached by mistake; a region that is not named is."""
    with pytest.raises(pytest.UsageError, match="not on this machine"):
        endpoint("https://s3.amazonaws.com")
    monkeypatch.setenv("LOCALSTACK_URLS", f"{PRIMARY}=http://127.0.0.1:1")
    with pytest.raises(pytest.UsageError, match=STANDBY):
        localstack()


def test_localstacks_that_are_apart_differ_in_more_than_one_that_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is between regions cannot hold where each region's API knows only its own."""
    monkeypatch.setenv("LOCALSTACK_URLS", f"{PRIMARY}=http://127.0.0.1:1,{STANDBY}=http://127.0.0.1:1")
    shared = localstack()
    monkeypatch.setenv("LOCALSTACK_URLS", f"{PRIMARY}=http://127.0.0.1:1,{STANDBY}=http://127.0.0.1:2")
    apart = localstack()
    assert shared is not None
    assert apart is not None
    assert shared.differs == known("localstack")
    assert apart.differs.keys() - shared.differs.keys() == known("localstack, one a region").keys()
