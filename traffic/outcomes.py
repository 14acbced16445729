"""What a client may say of a request: ok, fail (surely not done) or unknown (it may or may not have happened).

FAIL needs an answer that says "not done" before anything could be sent, or a service that says so. A connection that
timed out while opening is no such answer, so it stays UNKNOWN like every time-out; its error says which it was.
What an answer says is where the application's contract (traffic.contract) points to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from drill.records import Outcome
from traffic.contract import AnswerPointers, Contract, Read, Write
from traffic.load import amount_of
from traffic.pointer import find

OK, FAIL, UNKNOWN = Outcome.OK, Outcome.FAIL, Outcome.UNKNOWN

WRONG_CONTENT = "wrong_content"
"""The error class of an answer that shows another content than was sent."""

_CLASS = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]{0,59}")

Judged = tuple[Outcome, str | None]
"""An outcome, and the class of what went wrong."""


class NotSent(Exception):
    """Nothing of the request left this machine; the argument is a short class of failure."""


class InDoubt(Exception):
    """The request may have been done: a time-out, or a connection lost after sending; the argument is its class."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer that was read to its end; `region` is what its region header says, `reached` which region is at the
    address that it came from."""

    status: int
    region: str | None
    body: bytes
    reached: str | None = None


def json_of(answer: Answer) -> Any:
    """The body as JSON; a body that is none says nothing."""
    try:
        return msgspec.json.decode(answer.body)
    except msgspec.MsgspecError:
        return None


def of_write(write: Write, answer: Answer, document: Any, key: int) -> Judged:
    """Outcome and error class of a write.

    An acknowledgement that shows another record is one all the same (what is stored may be lost), of wrong content.
    """
    done = _at(document, write.answer.done)
    if answer.status in write.expect:
        if write.answer.done is not None and done is not True:
            return UNKNOWN, "unconfirmed"
        return OK, WRONG_CONTENT if False in _shown(write.answer, document, key) else None
    if done is False or answer.status in write.not_done:
        return FAIL, _error_class(write.answer, answer, document)
    return UNKNOWN, _error_class(write.answer, answer, document)


def of_receipt(write: Write, outcome: Judged, document: Any) -> Judged:
    """Outcome and error class of the receipt that a write asked for; one that is silent on it proves nothing."""
    if outcome[0] != OK:
        return outcome
    return (OK, None) if _at(document, write.answer.receipt) is True else (UNKNOWN, "no_receipt")


def of_read(read: Read, answer: Answer, document: Any, key: int) -> Judged:
    """Outcome and error class of a read of an acknowledged write: a read changes nothing, so it is never in doubt."""
    if answer.status in read.missing:
        return FAIL, "not_found"
    if answer.status not in read.expect:
        return FAIL, _error_class(read.answer, answer, document)
    return (OK, None) if _shown(read.answer, document, key) <= {True} else (FAIL, WRONG_CONTENT)


def region_of(contract: Contract, pointers: AnswerPointers, answer: Answer | None, document: Any) -> str | None:
    """Which region answered: by the answer's header, else by its body, else the only one there is or the one at its address."""
    if answer is None:
        return None
    if answer.region is not None:
        return answer.region
    found = _at(document, pointers.region)
    return found if isinstance(found, str) else contract.region or answer.reached


def _shown(pointers: AnswerPointers, document: Any, key: int) -> set[bool | None]:
    """Whether key and content are those of the write; None where the answer does not show one that it could."""
    shown: set[bool | None] = set()
    if pointers.key is not None:
        shown.add(_same(find(document, pointers.key), key))
    if pointers.content is not None:
        shown.add(_same(find(document, pointers.content), amount_of(key)))
    return shown


def _same(found: Any, value: int) -> bool | None:
    """Whether a value of an answer is that number, or its decimal digits as an application with text keys shows it."""
    return None if found is None else found is not True and (found == value or found == str(value))


def _at(document: Any, pointer: str | None) -> Any:
    return None if pointer is None else find(document, pointer)


def _error_class(pointers: AnswerPointers, answer: Answer, document: Any) -> str:
    """The service's own class where it is one: free text could carry a secret into a record."""
    own = _at(document, pointers.error)
    if isinstance(own, str) and _CLASS.fullmatch(own):
        return own
    return {403: "forbidden", 429: "throttled"}.get(answer.status, f"http_{answer.status}")
