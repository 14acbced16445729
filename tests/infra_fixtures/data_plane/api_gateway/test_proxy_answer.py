"""What a function's answer becomes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra_fixtures.data_plane.api_gateway.proxy import MalformedAnswer, answer


def become(
    value: Any, accepts: str = "", binary_types: tuple[str, ...] = ()
) -> tuple[int, list[tuple[str, str]], bytes]:
    """The answer to a payload, its headers as pairs."""
    status, headers, body = answer(json.dumps(value).encode(), accepts=accepts, binary_types=binary_types)
    return status, list(headers.items()), body


def test_a_plain_answer_is_taken_as_it_is() -> None:
    """Status, headers and body come through; a content type is added where there is none."""
    status, headers, body = become({"statusCode": 201, "headers": {"x-region": "us-east-1"}, "body": "{}"})
    assert (status, body) == (201, b"{}")
    assert headers == [("x-region", "us-east-1"), ("Content-Type", "application/json")]
    assert become({"statusCode": "204"})[0] == 204


def test_multi_value_headers_hold_over_single_ones() -> None:
    """A header given both ways appears with the values of the list."""
    _, headers, _ = become(
        {"statusCode": 200, "headers": {"a": "1", "b": True}, "multiValueHeaders": {"A": ["2", "3"]}}
    )
    assert headers == [("A", "2"), ("A", "3"), ("b", "true"), ("Content-Type", "application/json")]


def test_hop_by_hop_headers_are_remapped() -> None:
    """A function cannot set the connection's own headers."""
    _, headers, _ = become({"statusCode": 200, "headers": {"Content-Length": "999", "Date": "now"}, "body": "x"})
    assert ("x-amzn-Remapped-Content-Length", "999") in headers
    assert ("x-amzn-Remapped-Date", "now") in headers


def test_base64_is_decoded_only_where_the_client_accepts_a_binary_type() -> None:
    """isBase64Encoded becomes bytes for an Accept among the API's binary types, else stays text."""
    value = {"statusCode": 200, "body": "AAEC", "isBase64Encoded": True}
    assert become(value, accepts="image/png", binary_types=("image/png",))[2] == b"\x00\x01\x02"
    assert become(value, accepts="text/html", binary_types=("image/png",))[2] == b"AAEC"


@pytest.mark.parametrize(
    "value",
    [
        None,
        "text",
        [],
        {},
        {"statusCode": "fine"},
        {"statusCode": True},
        {"statusCode": 99},
        {"statusCode": 200, "body": {"not": "a string"}},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "headers": {"a": {"b": "c"}}},
        {"statusCode": 200, "headers": {"a": "b\r\nset-cookie: c"}},
        {"statusCode": 200, "multiValueHeaders": {"a": "b"}},
    ],
)
def test_what_is_no_proxy_response_is_malformed(value: Any) -> None:
    """Each of these is a 502 on AWS."""
    with pytest.raises(MalformedAnswer):
        become(value)
