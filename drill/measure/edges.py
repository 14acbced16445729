"""At which request an outage began and ended: the likeliest change point, and every place nearly as likely.

A profile likelihood (Hinkley 1970), each kind of request with its own failure rate in that outage. The beginning is the
end of the same sequence read backwards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Strata = npt.NDArray[np.int32]

NEARLY = math.log(1000)
"""A place is in the bracket if it is at most 1,000 times less likely than the likeliest: a chance failure of the very
first request after the outage is 1 in 300."""
TELLING = 0.2
"""A good request tells of the end if it speaks for it at least this much as loudly as the clearest one."""
SIGMAS = 3.0
"""A kind of request has a failure rate of its own in an outage if it lies this far off the common one."""
LUCK = 0.03
"""Lucky successes expected in an outage, worth one request of experience."""


@dataclass(frozen=True, slots=True)
class Edge:
    """The end of an outage, as places in the sequence it was looked for in.

    `last`: its likeliest last bad request; `good`: the first good one behind it that tells of the end; `within`: a
    request that surely still belongs to it; `beyond`: a good request that surely does not. None where there is none.
    `telling`: the kinds of request whose success tells of the end. `goes_on`: how likely what follows is if the outage
    goes on to the last request, against its having ended where it did.
    """

    last: int
    good: int | None
    within: int
    beyond: int | None
    telling: tuple[int, ...]
    goes_on: float


def likeliest_end(failed: Bools, kind: Strata, p: float, last: int) -> int:
    """The place of the last bad request of the outage that starts at place 0 and seems to end at `last`.

    Behind it requests fail at rate `p`.
    """
    for _ in range(2):
        last = int(np.argmax(np.cumsum(_Rates.of(failed, kind, p, last).gains(failed, kind))))
    return last


def edge(failed: Bools, kind: Strata, p: float, last: int) -> Edge:
    """The end of that outage with its bracket."""
    end = likeliest_end(failed, kind, p, last)
    rates = _Rates.of(failed, kind, p, end)
    loudest = rates.gains(failed, kind).min()
    nearly = np.cumsum(rates.cautious(failed, kind, end))
    near = np.flatnonzero(nearly >= nearly[end] - NEARLY)
    tells = rates.success <= TELLING * loudest if loudest < 0 else np.zeros(rates.success.size, np.bool_)
    telling = np.flatnonzero(tells[kind] & ~failed)
    behind = telling[np.searchsorted(telling, end + 1) :]
    sure = telling[np.searchsorted(telling, int(near[-1]) + 1) :]
    return Edge(
        last=end,
        good=int(behind[0]) if behind.size else None,
        within=int(near[0]),
        beyond=int(sure[0]) if sure.size else None,
        telling=tuple(np.flatnonzero(tells).tolist()),
        goes_on=math.exp(min(0.0, float(nearly[-1] - nearly[end]))),
    )


@dataclass(frozen=True, slots=True)
class _Rates:
    """How often each kind of request failed in an outage: its own rate where it lies apart, else the common one.

    `group` is the kind where it lies apart, else the number of kinds; `seen` and `lost` count by group.
    """

    p: float
    q: Floats
    group: Ints
    seen: Floats
    lost: Floats

    @classmethod
    def of(cls, failed: Bools, kind: Strata, p: float, end: int) -> _Rates:
        """Taken from the requests up to `end`; the common rate is worth one request of experience with each kind."""
        kinds = int(kind.max()) + 1
        seen = np.bincount(kind[: end + 1], minlength=kinds).astype(np.float64)
        lost = np.bincount(kind[: end + 1], weights=failed[: end + 1], minlength=kinds)
        common = (lost.sum() + 1.0) / (seen.sum() + 1.0 + LUCK)
        apart = (lost - seen * common) ** 2 > SIGMAS**2 * seen * common * (1 - common)
        apart |= common < 0.5  # what spares most requests spares some kinds wholly
        own = (lost + common) / (seen + 1.0)
        return cls(
            p=p,
            q=np.clip(np.where(apart, own, common), p, 1 - 1e-4),
            group=np.where(apart, np.arange(kinds), kinds),
            seen=np.append(seen + 1.0, seen.sum() + 1.0 + LUCK),
            lost=np.append(lost + common, lost.sum() + 1.0),
        )

    @property
    def success(self) -> Floats:
        """What a good request of each kind says, as a log-likelihood ratio."""
        said: Floats = np.log1p(-self.q) - math.log1p(-self.p)
        return said

    def gains(self, failed: Bools, kind: Strata) -> Floats:
        """What each request says for "still down" against "up again"."""
        said: Floats = np.where(failed, np.log(self.q / self.p)[kind], self.success[kind])
        return said

    def cautious(self, failed: Bools, kind: Strata, end: int) -> Floats:
        """The same, allowing for all that so few requests cannot exclude.

        Luck by the rule of three (3 / n at 95 %), at most LUCK. Behind `end`, where some succeeded before it, each
        request is foretold from all before it, as if the outage had gone on: the fewer were seen, the sooner the next
        ones teach another rate.
        """
        seen = self.seen[self.group]
        luck = np.minimum(LUCK, 3.0 / seen)
        q = np.maximum(np.minimum(self.q, 1 - luck), self.p)
        gains = np.where(failed, np.log(q / self.p)[kind], (np.log1p(-q) - math.log1p(-self.p))[kind])
        good = np.bincount(self.group[kind[: end + 1]], weights=~failed[: end + 1], minlength=self.seen.size)
        for group in np.flatnonzero(good):
            members = self.group == group
            at = end + 1 + np.flatnonzero(members[kind[end + 1 :]])
            bad = failed[at]
            before = np.arange(at.size)
            foretold = (self.lost[group] + np.cumsum(bad) - bad) / (self.seen[group] + before)
            most = 1 - float(luck[members][0])
            foretold = np.maximum(np.minimum(foretold, most), self.p)
            gains[at] = np.where(bad, np.log(foretold / self.p), np.log1p(-foretold) - math.log1p(-self.p))
        said: Floats = gains
        return said
