"""The reader: a function beside the database that reads what it holds, for a harness that cannot connect to it.

Aurora is in private subnets, and the RDS Data API reads from the writer of a cluster only, which a secondary has none of
(https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/data-api.html). An invocation answers with one page of rows, in
the order of their keys; Lambda's answers have at most 6 MB
(https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from infra_fixtures.workload.database import Database

MOST_ROWS = 20_000
_kept: dict[str, Any] = {}


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """{"sql", "after", "limit"}: rows of (key, content, copies) above `after`, a key and a content (null: from the first one).

    The statement stands in a FROM, where PostgreSQL lets nothing be changed, in a read-only transaction. An error is the
    invocation's own.
    """
    limit = min(int(event["limit"]), MOST_ROWS)
    after = event.get("after")
    above = "" if after is None else f"WHERE (key, content) > ({int(after[0])}, {int(after[1])}) "
    held = f"({event['sql']}) AS held (key, content, copies)"
    sql = f"SELECT key, content, copies FROM {held} {above}ORDER BY key, content LIMIT {limit}"
    return {"rows": READER.run(sql), "region": os.environ.get("AWS_REGION", "unknown")}


def _credentials() -> Mapping[str, str]:
    """The database user, from Secrets Manager of this region, read once a worker."""
    if "secret" not in _kept:
        import boto3  # Lambda's own; this module is also read where there is none

        client = boto3.client("secretsmanager")
        _kept["secret"] = json.loads(client.get_secret_value(SecretId=os.environ["DB_SECRET_ARN"])["SecretString"])
    secret: Mapping[str, str] = _kept["secret"]
    return secret


READER = Database("DB_READER_HOST", _credentials, lambda: _kept.pop("secret", None), read_only=True)
