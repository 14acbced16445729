"""The order API's answers, each backed by what the stores hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from drill.wait import wait_until
from infra_fixtures.faults.database_lost import DatabaseLost
from infra_fixtures.faults.fault import injected
from infra_fixtures.workload import order_api
from tests.real_world import System


def post(key: object, amount: object = 7, **more: object) -> tuple[int, dict[str, Any]]:
    """POST an order: status and body."""
    body = json.dumps({"key": key, "amount": amount, **more})
    return _answer({"httpMethod": "POST", "path": "/orders", "body": body})


def get(path: str) -> tuple[int, dict[str, Any]]:
    """GET: status and body."""
    return _answer({"httpMethod": "GET", "path": path})


def _answer(event: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = order_api.handler(event, None)
    assert answer["headers"]["x-region"] == order_api.REGION
    body: dict[str, Any] = json.loads(answer["body"])
    return answer["statusCode"], body


def test_an_order_repeated_is_one_order(deployed_here: System) -> None:
    """201 the first time, 200 after, also with another amount: the row that is there is what is answered."""
    assert post(-201, 5)[0] == 201
    status, again = post(-201, 9)
    assert (status, again["stored"], again["amount"]) == (200, True, 5)
    assert get("/orders/-201") == (200, {**get("/orders/-201")[1], "key": -201, "amount": 5})
    assert get("/orders/-202")[0] == 404


def test_a_receipt_is_an_object_in_the_bucket(deployed_here: System) -> None:
    """Asked for, it is put, also by the repetition; its body is the order that is stored."""
    world = deployed_here.world
    s3, bucket = world.client("s3", world.primary), world.deployed.regions[world.primary].bucket
    assert post(-203, 5)[1]["receipt"] is False
    status, body = post(-203, 9, receipt=True)
    assert (status, body["receipt"]) == (200, True)
    receipt = json.loads(s3.get_object(Bucket=bucket, Key="receipts/-203")["Body"].read())
    assert (receipt["key"], receipt["amount"]) == (-203, 5)


def test_a_receipt_that_cannot_be_put_is_unsure(deployed_here: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row is there, the request as a whole is not known to be done: 500 without `stored`."""
    monkeypatch.setenv("RECEIPTS_BUCKET", "no-such-bucket")
    status, body = post(-204, receipt=True)
    assert (status, body["error"], body["row"]) == (500, "receipt_unsure", "stored")
    assert "stored" not in body
    assert get("/orders/-204")[0] == 200


def test_a_dead_database_is_certainly_not_stored(deployed_here: System) -> None:
    """503 with stored false; the deep health check fails with it, the shallow one does not."""
    with injected(deployed_here.world, DatabaseLost(deployed_here.world.primary)):
        status, body = post(-205)
        assert (status, body["stored"]) == (503, False)
        assert get("/health/deep")[0] == 503
        assert get("/health")[0] == 200
        assert get("/orders/-205")[0] == 503
    assert get("/orders/-205")[0] == 404


def test_a_standby_stores_nothing_and_is_not_healthy_as_a_primary(
    deployed_here: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read-only: 503 with stored false, by SQLSTATE; deep health says that it is not the writer."""
    standby = deployed_here.world.layout.region(deployed_here.world.standby).node.host
    monkeypatch.setenv("DB_WRITER_HOST", standby)
    status, body = post(-206)
    assert (status, body["error"], body["stored"]) == (503, "refused_25006", False)
    assert get("/health/deep") == (503, {**get("/health/deep")[1], "error": "not_the_writer"})
    monkeypatch.setenv("HEALTHY_WHEN", "readable")
    assert get("/health/deep")[0] == 200


def test_a_heartbeat_is_read_with_what_the_engine_claims_of_its_lag(
    deployed_here: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A standby claims some seconds, which grow; the writer is behind nobody and claims none."""
    assert _answer({"httpMethod": "POST", "path": "/heartbeat", "body": '{"seq": 4711}'})[0] == 200
    assert get("/heartbeat") == (200, {"seq": 4711, "engine_lag_s": None, "region": order_api.REGION})
    order_api.READER.drop()
    monkeypatch.setenv("DB_READER_HOST", deployed_here.world.layout.region(deployed_here.world.standby).node.host)
    first = wait_until(
        lambda: (found := get("/heartbeat")[1])["seq"] == 4711 and found, what="the standby to show it", timeout_s=5
    )
    assert 0 < first["engine_lag_s"] < get("/heartbeat")[1]["engine_lag_s"] < 10


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "the body is not JSON"),
        ("[]", "the body is not a JSON object"),
        ('{"key": "x", "amount": 1}', "key is not an integer"),
        ('{"key": 1.5, "amount": 1}', "key is not an integer of 64 bits"),
        ('{"key": true, "amount": 1}', "key is not an integer of 64 bits"),
        ('{"key": 9223372036854775808, "amount": 1}', "key is not an integer of 64 bits"),
        ('{"key": 1}', "amount is not an integer of 64 bits"),
    ],
)
def test_a_bad_request_stores_nothing(body: str, said: str) -> None:
    """400, stored false, and a sentence; no database is asked for it."""
    status, answer = _answer({"httpMethod": "POST", "path": "/orders", "body": body})
    assert (status, answer["error"], answer["stored"]) == (400, "bad_request", False)
    assert said in answer["detail"]


def test_unknown_paths_are_not_found() -> None:
    """404 for another path, another method."""
    assert get("/nothing")[0] == get("/orders")[0] == 404
    assert _answer({"httpMethod": "DELETE", "path": "/orders/1"})[0] == 404


def test_ping_says_whether_the_database_takes_writes(deployed_here: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the failover controller asks: true at the writer, false at a standby, and why where it cannot be asked."""
    assert order_api.handler({"action": "ping"}, None)["writes"] is True
    order_api.WRITER.drop()
    monkeypatch.setenv("DB_WRITER_HOST", deployed_here.world.layout.region(deployed_here.world.standby).node.host)
    assert order_api.handler({"action": "ping"}, None)["writes"] is False
    order_api.WRITER.drop()
    monkeypatch.setenv("DB_PORT", "1")
    said = order_api.handler({"action": "ping"}, None)
    assert (said["writes"], said["error"]) == (False, "database_unreachable_ConnectionRefusedError")
