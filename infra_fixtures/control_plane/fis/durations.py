"""ISO 8601 durations as FIS takes them: PT1M to PT12H.

https://docs.aws.amazon.com/fis/latest/userguide/action-sequence.html#action-duration: one minute to 12 hours.
"""

from __future__ import annotations

import re

SHORTEST_S, LONGEST_S = 60, 12 * 3600
_ISO = re.compile(r"P(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


def seconds(text: str) -> int:
    """The length of an ISO 8601 duration in seconds; ValueError where it is none."""
    found = _ISO.fullmatch(text)
    if found is None or not any(found.groups()):
        raise ValueError(f"{text} is no ISO 8601 duration such as PT5M")
    days, hours, minutes, rest = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def action_seconds(text: str) -> int:
    """The same within what FIS takes for an action; ValueError outside."""
    length_s = seconds(text)
    if not SHORTEST_S <= length_s <= LONGEST_S:
        raise ValueError(f"{text} is not between PT1M and PT12H")
    return length_s
