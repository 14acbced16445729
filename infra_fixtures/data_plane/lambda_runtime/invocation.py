"""What an invocation is: what was asked, what came of it, and the errors AWS words for it.

Error texts and shapes: AWS Lambda developer guide, "Invoke" API reference and "Troubleshoot invocation issues".
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass

import msgspec

from infra_fixtures.fis_lambda import InvocationFault

LOG_TAIL_BYTES = 4096
"""How much of an invocation's log X-Amz-Log-Result carries (Invoke API reference)."""

RESERVED_EXCEEDED = "ReservedFunctionConcurrentInvocationLimitExceeded"
UNRESERVED_EXCEEDED = "ConcurrentInvocationLimitExceeded"


@dataclass(frozen=True, slots=True)
class InvokeResult:
    """What the Invoke API answers.

    `status` is the HTTP status: 200 (ran, even where the function failed), 202 (queued), 204 (dry run), 404, 413, 429.
    `function_error` is "Unhandled" where the function failed; `error_type` names the service's own exception where it
    never ran; `reason` says which limit throttled it; `log_tail` is the end of the invocation's log (at most 4 KiB).
    """

    status: int
    payload: bytes = b""
    function_error: str | None = None
    request_id: str = ""
    executed_version: str = "$LATEST"
    error_type: str | None = None
    reason: str | None = None
    log_tail: bytes = b""


class Invocation:
    """One invocation under way; `future` gets its InvokeResult even when nobody waits for it any more."""

    __slots__ = (
        "arrived_s", "began_s", "client_context", "fault", "future", "lines", "payload", "reported", "request_id", "timer"
    )  # fmt: skip

    def __init__(self, payload: bytes, loop: asyncio.AbstractEventLoop, client_context: str | None = None) -> None:
        self.request_id = str(uuid.uuid4())
        self.payload = payload
        self.client_context = client_context
        self.future: asyncio.Future[InvokeResult] = loop.create_future()
        self.reported = True
        self.arrived_s = loop.time()
        self.began_s = 0.0
        self.timer: asyncio.TimerHandle | None = None
        self.lines: list[str] = []
        self.fault: InvocationFault | None = None

    def settle(self, payload: bytes, function_error: str | None, version: str) -> None:
        """Give the answer to whoever waits."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if not self.future.done():
            tail = "\n".join(self.lines).encode()[-LOG_TAIL_BYTES:]
            self.future.set_result(InvokeResult(200, payload, function_error, self.request_id, version, log_tail=tail))

    def refuse(self, result: InvokeResult) -> None:
        """Give an answer of the service itself: the function never ran."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if not self.future.done():
            self.future.set_result(result)


def throttled(reason: str) -> InvokeResult:
    """429 TooManyRequestsException."""
    return InvokeResult(
        429,
        msgspec.json.encode({"Reason": reason, "Type": "User", "message": "Rate Exceeded."}),
        request_id=str(uuid.uuid4()),
        error_type="TooManyRequestsException",
        reason=reason,
    )


def not_found(arn: str) -> InvokeResult:
    """404 ResourceNotFoundException."""
    return InvokeResult(
        404,
        msgspec.json.encode({"Type": "User", "Message": f"Function not found: {arn}"}),
        request_id=str(uuid.uuid4()),
        error_type="ResourceNotFoundException",
    )


def timed_out(request_id: str, timeout_s: float) -> bytes:
    """What a function's payload becomes when it runs longer than it may."""
    return failure("Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {timeout_s:.2f} seconds")


def exited(request_id: str, returncode: int) -> bytes:
    """What a function's payload becomes when its process ends under it."""
    return failure("Runtime.ExitError", f"RequestId: {request_id} Error: {exit_reason(returncode)}")


def is_out_of_memory(payload: bytes) -> bool:
    """Whether a function's error says that it got no more memory: Lambda kills such a one."""
    try:
        return msgspec.json.decode(payload, type=_Error).errorType == "MemoryError"
    except msgspec.MsgspecError:
        return False


class _Error(msgspec.Struct):
    errorType: str = ""  # noqa: N815  # as the runtime sends it


def exit_reason(returncode: int) -> str:
    """AWS's words for how a runtime process ended; negative is the signal that ended it."""
    if returncode == 0:
        return "Runtime exited without providing a reason"
    if returncode < 0:
        return f"Runtime exited with error: signal: {_SIGNALS.get(-returncode, str(-returncode))}"
    return f"Runtime exited with error: exit status {returncode}"


_SIGNALS = {6: "aborted", 9: "killed", 11: "segmentation fault", 15: "terminated"}


def failure(error_type: str, message: str) -> bytes:
    """A function error in Lambda's JSON."""
    return msgspec.json.encode({"errorType": error_type, "errorMessage": message})
