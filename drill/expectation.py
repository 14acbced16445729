"""What a drill must come out as: MET, unless it checks the harness itself and must come out otherwise, for a given reason.

The mark drill.expected keeps it among the raw records ("MET", "UNPROVEN: felt"), so that judging needs nothing else.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from drill.objective import Verdict

MARK = "drill.expected"


@dataclass(frozen=True, slots=True)
class Expectation:
    """The verdict that must come out, and words that all its doubts must have (empty: any doubt will do)."""

    verdict: Verdict = Verdict.MET
    because: str = ""

    @classmethod
    def read(cls, text: object) -> Expectation:
        """As a mark or a verdict.json has it; whatever is no verdict is MET, by which nothing is let pass."""
        verdict, _, because = str(text).partition(": ")
        return cls(Verdict(verdict), because) if verdict in tuple(Verdict) else cls()

    @property
    def is_check(self) -> bool:
        """Whether the drill checks the harness itself."""
        return self.verdict is not Verdict.MET

    def met_by(self, verdict: str, doubts: Collection[str]) -> bool:
        """Whether it came out so; `doubts`: what the proof lacks."""
        for_that = bool(doubts) and all(self.because in doubt for doubt in doubts)
        return verdict == self.verdict and (not self.because or for_that)

    def __str__(self) -> str:
        return f"{self.verdict}: {self.because}" if self.because else str(self.verdict)
