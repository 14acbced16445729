"""What came out of the checks: service x behaviour x backend, as a table and its reasons."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Cell(Enum):
    """What a check came to on a backend."""

    HOLDS = "holds"
    DIFFERS = "differs"
    NOT_OFFERED = "not offered"


@dataclass(slots=True)
class Table:
    """Cells by (service, behaviour) and backend."""

    cells: dict[tuple[str, str], dict[str, tuple[Cell, str]]] = field(default_factory=dict)

    def put(self, service: str, behaviour: str, backend: str, cell: Cell, why: str) -> None:
        """Note what a check came to; of a check with several cases the first that does not hold stands."""
        row = self.cells.setdefault((service, behaviour), {})
        if backend not in row or row[backend][0] is Cell.HOLDS:
            row[backend] = cell, why

    def __bool__(self) -> bool:
        return bool(self.cells)

    def lines(self) -> list[str]:
        """A line a check, the reasons of what does not hold, and a last line with the counts."""
        backends = list(dict.fromkeys(b for row in self.cells.values() for b in row))
        heads = ("service", "behaviour")
        wide = [max(len(h), *(len(k[i]) for k in self.cells)) for i, h in enumerate(heads)]
        found = [f"{heads[0]:{wide[0]}}  {heads[1]:{wide[1]}}  " + "  ".join(f"{b:11}" for b in backends)]
        for (service, behaviour), row in sorted(self.cells.items()):
            said = "  ".join(f"{row[b][0].value if b in row else '-':11}" for b in backends)
            found.append(f"{service:{wide[0]}}  {behaviour:{wide[1]}}  {said}".rstrip())
        found.append("")
        found += self._reasons()
        counts = []
        for b in backends:
            came = [row[b][0] for row in self.cells.values() if b in row]
            told = ", ".join(f"{came.count(cell)} {cell.value}" for cell in Cell if cell in came)
            counts.append(f"{b}: {told}")
        return [*found, f"conformance: {'; '.join(counts)}"]

    def _reasons(self) -> list[str]:
        reasons: dict[tuple[str, str], list[str]] = {}
        for (service, behaviour), row in sorted(self.cells.items()):
            for backend, (cell, why) in row.items():
                if cell is not Cell.HOLDS:
                    reasons.setdefault((backend, why), []).append(f"{service} {behaviour}")
        return [f"{backend}, {'; '.join(checks)}: {why}" for (backend, why), checks in reasons.items()]
