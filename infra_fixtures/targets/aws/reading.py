"""Rows of a region's database, read by the function that stands beside it: nobody outside its VPC can connect."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

ROWS_A_PAGE = 20_000
"""At most 60 bytes a row: far below what an invocation may answer."""


class NotRead(Exception):
    """The reader said no; the message is its own."""


def rows(
    client: Callable[[str, str | None], Any], function: str, region: str, sql: str
) -> Iterator[tuple[int, int, int]]:
    """(key, content, copies) of every row, in the order of their keys; raises NotRead, or what Lambda refuses with.

    Pages are read one after another: each shows all rows above the last one that were there when it was read, and so those
    that were there when the first was.
    """
    after: tuple[int, int] | None = None
    while True:
        wanted = {"sql": sql.rstrip().rstrip(";"), "after": after, "limit": ROWS_A_PAGE}
        answer = client("lambda", region).invoke(FunctionName=function, Payload=json.dumps(wanted).encode())
        said = answer["Payload"].read()
        if answer.get("FunctionError"):
            raise NotRead(f"{function} in {region}: {said.decode(errors='replace')[:500]}")
        page = json.loads(said)["rows"]
        for key, content, copies in page:
            yield int(key), int(content), int(copies)
        if len(page) < ROWS_A_PAGE:
            return
        after = (int(page[-1][0]), int(page[-1][1]))
