"""Policies that lack something."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any


def without(documents: Sequence[Any], action: str) -> list[Any]:
    """The same documents, the action taken out of each statement."""
    found = copy.deepcopy(list(documents))
    for document in found:
        for statement in document["Statement"]:
            statement["Action"] = [one for one in statement["Action"] if one != action]
        document["Statement"] = [statement for statement in document["Statement"] if statement["Action"]]
    return found
