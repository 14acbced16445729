"""What a client may say of a request: ok, fail (surely not done) or unknown (it may or may not have happened).

FAIL needs an answer that says "not done" before anything could be sent, or a service that says so. A connection that
timed out while opening is no such answer, so it stays UNKNOWN like every time-out; its error says which it was.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import msgspec

from drill.records import Outcome
from traffic.load import amount_of

OK, FAIL, UNKNOWN = Outcome.OK, Outcome.FAIL, Outcome.UNKNOWN

WRONG_CONTENT = "wrong_content"
"""The error class of an answer that shows another content than was sent."""

REFUSALS = frozenset({400, 401, 403, 404, 405, 413, 415, 429})
"""Statuses by which the gateway or the service turns a request away unprocessed: authentication, throttle, bad form."""

_CLASS = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,59}")


class NotSent(Exception):
    """Nothing of the request left this machine; the argument is a short class of failure."""


class InDoubt(Exception):
    """The request may have been done: a time-out, or a connection lost after sending; the argument is its class."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer that was read to its end; `region` is its x-region header."""

    status: int
    region: str | None
    body: bytes


class Said(msgspec.Struct, frozen=True):
    """What the body of an answer may say; anything else is ignored."""

    key: int | None = None
    amount: int | None = None
    region: str | None = None
    stored: bool | None = None
    receipt: bool | None = None
    error: str | None = None


_decoder = msgspec.json.Decoder(Said)
_SILENCE = Said()


def said(answer: Answer) -> Said:
    """The body's words; a body that is no such JSON says nothing."""
    try:
        return _decoder.decode(answer.body)
    except msgspec.MsgspecError:
        return _SILENCE


def of_write(answer: Answer, words: Said, key: int) -> tuple[Outcome, str | None]:
    """Outcome and error class of an order.

    An acknowledgement that shows another order is one all the same (what is stored may be lost), of wrong content.
    """
    if answer.status in (200, 201):
        if words.stored is not True:
            return UNKNOWN, "unconfirmed"
        as_sent = words.key in (None, key) and words.amount in (None, amount_of(key))
        return OK, None if as_sent else WRONG_CONTENT
    if words.stored is False or answer.status in REFUSALS:
        return FAIL, _error_class(answer, words)
    return UNKNOWN, _error_class(answer, words)


def of_receipt(write: tuple[Outcome, str | None], words: Said) -> tuple[Outcome, str | None]:
    """Outcome and error class of the receipt that an order asked for; a stored order that is silent on it proves nothing."""
    if write[0] != OK:
        return write
    return (OK, None) if words.receipt is True else (UNKNOWN, "no_receipt")


def of_read(answer: Answer, words: Said, key: int) -> tuple[Outcome, str | None]:
    """Outcome and error class of a read of an acknowledged order: a read changes nothing, so it is never in doubt."""
    if answer.status != 200:
        return FAIL, "not_found" if answer.status == 404 else _error_class(answer, words)
    if words.key != key or words.amount != amount_of(key):
        return FAIL, WRONG_CONTENT
    return OK, None


def _error_class(answer: Answer, words: Said) -> str:
    """The service's own class where it is one: free text could carry a secret into a record."""
    if words.error is not None and _CLASS.fullmatch(words.error):
        return words.error
    return {403: "forbidden", 429: "throttled"}.get(answer.status, f"http_{answer.status}")
