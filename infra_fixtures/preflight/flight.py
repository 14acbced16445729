"""The preflight: every check asked at once, and a drill refused where one of them finds a reason."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from drill.unusable import UnusableInput
from infra_fixtures.preflight.check import Finding, Seen, Verdict, checks

THREADS = 6


class NotReady(UnusableInput):
    """The system or the account is not such that a drill of it would prove anything; every reason is a line."""


def system_findings(seen: Seen) -> list[Finding]:
    """What each check finds in a system that stands; nothing is changed."""
    with ThreadPoolExecutor(THREADS, thread_name_prefix="preflight") as pool:
        return list(pool.map(lambda check: check.look(seen), checks()))


def require_ready(findings: Iterable[Finding]) -> None:
    """Raise NotReady where one refuses."""
    reasons = [str(finding) for finding in findings if finding.verdict is Verdict.REFUSE]
    if reasons:
        raise NotReady("\n".join(["the preflight refuses this drill, and nothing was changed:", *reasons]))


def described(findings: Iterable[Finding]) -> str:
    """A line for each."""
    return "\n".join(map(str, findings))
