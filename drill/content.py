"""The content of writes, as 64-bit checksums: what a client asked for and what was found are compared by these.

Little is imported here: the load generator uses it too, and does without polars.
"""

from __future__ import annotations

import hashlib


def checksum(content: bytes) -> int:
    """64 bits of BLAKE2b, as a signed integer."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big", signed=True)


def of_order(key: int, amount: int) -> int:
    """The checksum of an order, whatever holds it: a request, a row, a receipt.

    It is taken of the order's shortest JSON, so bytes that are no order never have the checksum of one.
    """
    return checksum(b'{"key":%d,"amount":%d}' % (key, amount))
