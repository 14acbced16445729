"""What AWS's errors mean to provisioning: already so, not there, or not yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from botocore.exceptions import ClientError

from drill.wait import wait_until


def ignore_errors(codes: str | Iterable[str], call: Callable[..., Any], **parameters: Any) -> Any:
    """Make the call; None where AWS refuses it with one of these error codes (already so; not there)."""
    expected = {codes} if isinstance(codes, str) else set(codes)
    try:
        return call(**parameters)
    except ClientError as e:
        if e.response["Error"]["Code"] not in expected:
            raise
        return None


def retry_while(
    codes: str | Iterable[str],
    call: Callable[..., Any],
    *,
    what: str,
    timeout_s: float,
    saying: str = "",
    every_s: float = 2.0,
    **parameters: Any,
) -> Any:
    """Make the call, again while AWS refuses it with one of these codes (and a message that holds `saying`).

    New things take seconds to be seen everywhere in AWS, and things in use cannot be deleted. Raises WaitTimeout.
    """
    expected = {codes} if isinstance(codes, str) else set(codes)
    answers: list[Any] = []

    def made() -> bool:
        try:
            answers.append(call(**parameters))
        except ClientError as e:
            error = e.response["Error"]
            if error["Code"] not in expected or saying not in error.get("Message", ""):
                raise
            return False
        return True

    wait_until(made, what=what, timeout_s=timeout_s, every_s=every_s)
    return answers[0]
