"""The order API: the Lambda function behind every request (API Gateway proxy integration, payload 1.0).

What it answers is what a drill's proof rests on: 201 or 200 {"stored": true} is committed; 503 {"stored": false} is
certainly not stored; 500 without "stored" means that nobody can know. Every answer says which region served it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from infra_fixtures.workload.database import Database, NotSent, Refused, Unsure
from infra_fixtures.workload.log_line import log_line

REGION = os.environ.get("AWS_REGION", "unknown")
RECEIPTS = "receipts/"
INTEGERS = range(-(2**63), 2**63)

TABLES = (
    "CREATE TABLE IF NOT EXISTS orders (key bigint PRIMARY KEY, amount bigint NOT NULL, region text NOT NULL,"
    " stored_at timestamptz NOT NULL DEFAULT now())",
    "CREATE TABLE IF NOT EXISTS heartbeat (id int PRIMARY KEY, seq bigint NOT NULL)",
)
INSERT = (
    "INSERT INTO orders (key, amount, region) VALUES (:key, :amount, :region)"
    " ON CONFLICT (key) DO NOTHING RETURNING key"
)
STORED = "SELECT amount, region FROM orders WHERE key = :key"
WRITE_HEARTBEAT = "INSERT INTO heartbeat (id, seq) VALUES (1, :seq) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq"
READ_HEARTBEAT = (
    "SELECT (SELECT seq FROM heartbeat WHERE id = 1), CASE WHEN pg_is_in_recovery()"
    " THEN extract(epoch FROM now() - pg_last_xact_replay_timestamp())::float8 END"
)
"""The heartbeat and, in the same round trip, how far behind the engine itself claims to be (it goes on counting while
nothing is written): https://www.postgresql.org/docs/16/functions-admin.html#FUNCTIONS-RECOVERY-INFO-TABLE"""
ALIVE = "SELECT 1"
RECOVERING = "SELECT pg_is_in_recovery()"

_kept: dict[str, Any] = {}


def credentials() -> Mapping[str, str]:
    """The database user, from Secrets Manager of this region, read once a worker."""
    if "secret" not in _kept:
        answer = _client("secretsmanager").get_secret_value(SecretId=os.environ["DB_SECRET_ARN"])
        _kept["secret"] = json.loads(answer["SecretString"])
    secret: Mapping[str, str] = _kept["secret"]
    return secret


def forget_credentials() -> None:
    """Read them again next time."""
    _kept.pop("secret", None)


WRITER = Database("DB_WRITER_HOST", credentials, forget_credentials)
READER = Database("DB_READER_HOST", credentials, forget_credentials)


class BadRequest(Exception):
    """The request is not one of this API's; nothing was done."""


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """API Gateway's proxy event, or a direct invocation {"action": "migrate" | "ping"}."""
    match event.get("action"):
        case "migrate":
            return _migrate()
        case "ping":
            return _ping()
    try:
        return _routed(event)
    except BadRequest as e:
        return _answer(400, {"error": "bad_request", "detail": str(e), "stored": False})


def _routed(event: Mapping[str, Any]) -> dict[str, Any]:
    method, path = event["httpMethod"], event["path"].rstrip("/")
    match method, path.removeprefix("/").split("/"):
        case "POST", ["orders"]:
            return _post_order(_body(event))
        case "GET", ["orders", key]:
            return _get_order(_integer(key, "key"))
        case "POST", ["heartbeat"]:
            return _post_heartbeat(_body(event))
        case "GET", ["heartbeat"]:
            return _get_heartbeat()
        case "GET", ["health"]:
            return _answer(200, {})
        case "GET", ["health", "deep"]:
            return _deep_health()
    return _answer(404, {"error": "no_such_resource"})


def _migrate() -> dict[str, Any]:
    """Create the tables; an error is the invocation's own."""
    for sql in TABLES:
        WRITER.run(sql)
    return {"migrated": len(TABLES), "region": REGION}


def _ping() -> dict[str, Any]:
    """Whether this region's writer endpoint leads to a database that takes writes: what a switchover needs of it."""
    try:
        recovering = WRITER.run(RECOVERING)[0][0]
    except (NotSent, Refused, Unsure) as e:
        return {"writes": False, "error": str(e), "region": REGION}
    return {"writes": not recovering, "region": REGION}


def _post_order(order: Mapping[str, Any]) -> dict[str, Any]:
    """Store an order once, whoever repeats it, and its receipt where one is asked for."""
    key, amount = _integer(order.get("key"), "key"), _integer(order.get("amount"), "amount")
    try:
        fresh = bool(WRITER.run(INSERT, key=key, amount=amount, region=REGION))
    except (NotSent, Refused) as e:
        return _answer(503, {"error": str(e), "stored": False})
    except Unsure as e:
        return _answer(500, {"error": str(e)})
    body: dict[str, Any] = {"key": key, "amount": amount, "stored": True, "stored_in": REGION, "receipt": False}
    if not fresh:  # the conflict proves that a committed row is there; what is in it is asked for
        try:
            found = WRITER.run(STORED, key=key)
        except (NotSent, Refused, Unsure) as e:
            return _answer(500, {"error": f"stored_before_{e}", "key": key})
        if not found:
            return _answer(500, {"error": "stored_row_vanished", "key": key})
        body["amount"], body["stored_in"] = found[0]
    if order.get("receipt"):
        try:
            _put_receipt(key, body["amount"])
        except Exception as e:  # the row is there, the request as a whole is not known to be done
            log_line("receipt unsure", key=key, error=repr(e)[:300])
            return _answer(500, {"error": "receipt_unsure", "detail": type(e).__name__, "key": key, "row": "stored"})
        body["receipt"] = True
    return _answer(201 if fresh else 200, body)


def _get_order(key: int) -> dict[str, Any]:
    """One order, from the local reader endpoint."""
    try:
        found = _read(STORED, key=key)
    except (NotSent, Refused, Unsure) as e:
        return _answer(503, {"error": str(e)})
    if not found:
        return _answer(404, {"error": "no_such_order", "key": key})
    return _answer(200, {"key": key, "amount": found[0][0], "stored_in": found[0][1]})


def _post_heartbeat(beat: Mapping[str, Any]) -> dict[str, Any]:
    """Note a heartbeat through the writer endpoint."""
    seq = _integer(beat.get("seq"), "seq")
    try:
        WRITER.run(WRITE_HEARTBEAT, seq=seq)
    except (NotSent, Refused) as e:
        return _answer(503, {"error": str(e), "stored": False})
    except Unsure as e:
        return _answer(500, {"error": str(e)})
    return _answer(200, {"seq": seq, "stored": True})


def _get_heartbeat() -> dict[str, Any]:
    """The last heartbeat that the local reader endpoint shows, 0 before the first; what lag the engine claims.

    It claims none (null) where it is no standby, or has replayed nothing yet.
    """
    try:
        seq, claimed_s = _read(READ_HEARTBEAT)[0]
    except (NotSent, Refused, Unsure) as e:
        return _answer(503, {"error": str(e)})
    return _answer(200, {"seq": seq or 0, "engine_lag_s": claimed_s})


def _deep_health() -> dict[str, Any]:
    """Healthy when the local database answers and, in the primary, takes writes.

    A primary whose writer's role has moved must not draw traffic back by itself: handing back is a decision of its own.
    """
    try:
        if os.environ.get("HEALTHY_WHEN") == "writable":
            if WRITER.run(RECOVERING)[0][0]:
                return _answer(503, {"error": "not_the_writer"})
        else:
            _read(ALIVE)
    except (NotSent, Refused, Unsure) as e:
        return _answer(503, {"error": str(e)})
    return _answer(200, {})


def _read(sql: str, **values: Any) -> list[list[Any]]:
    """A query on the reader endpoint; once more on a new connection where the kept one broke, as nothing can happen twice."""
    try:
        return READER.run(sql, **values)
    except Unsure as e:
        if "Timeout" in str(e):
            raise  # the caller has waited long enough
    return READER.run(sql, **values)


def _put_receipt(key: int, amount: int) -> None:
    body = json.dumps({"key": key, "amount": amount, "region": REGION}).encode()
    _client("s3").put_object(
        Bucket=os.environ["RECEIPTS_BUCKET"], Key=f"{RECEIPTS}{key}", Body=body, ContentType="application/json"
    )


def _client(service: str) -> Any:
    if service not in _kept:
        import boto3  # whoever imports this module outside Lambda need not have it
        from botocore.config import Config

        config = Config(
            connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2}, s3={"addressing_style": "path"}
        )
        _kept[service] = boto3.client(service, config=config)
    return _kept[service]


def _body(event: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        body = json.loads(event.get("body") or "")
    except ValueError as e:
        raise BadRequest("the body is not JSON") from e
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object")
    return body


def _integer(value: object, name: str) -> int:
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError as e:
            raise BadRequest(f"{name} is not an integer") from e
    if not isinstance(value, int) or isinstance(value, bool) or value not in INTEGERS:
        raise BadRequest(f"{name} is not an integer of 64 bits")
    return value


def _answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "x-region": REGION},
        "body": json.dumps({**body, "region": REGION}),
        "isBase64Encoded": False,
    }


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    # In the init phase, not in the first order's time: https://docs.aws.amazon.com/lambda/latest/dg/best-practices.html
    for _service in ("secretsmanager", "s3"):
        _client(_service)

if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "provisioned-concurrency":
    for _database in (READER, WRITER):
        try:
            _database.connect()
        except NotSent as e:
            log_line("not warmed", error=str(e))
