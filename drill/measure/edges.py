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
    `telling`: the kinds of request whose success tells of the end.
    """

    last: int
    good: int | None
    within: int
    beyond: int | None
    telling: tuple[int, ...]


def edge(failed: Bools, kind: Strata, p: float, last: int) -> Edge:
    """The end of the outage that starts at place 0 and seems to end at `last`; behind it requests fail at rate p."""
    gain, _ = _gains(failed, kind, p, last)
    end = int(np.argmax(np.cumsum(gain)))
    gain, loudness = _gains(failed, kind, p, end)
    end = int(np.argmax(np.cumsum(gain)))
    cautious = np.cumsum(_gains(failed, kind, p, end, cautious=True)[0])
    near = np.flatnonzero(cautious >= cautious[end] - NEARLY)
    tells = loudness <= TELLING * gain.min() if gain.min() < 0 else np.zeros(loudness.size, np.bool_)
    telling = np.flatnonzero(tells[kind] & ~failed)
    behind = telling[np.searchsorted(telling, end + 1) :]
    sure = telling[np.searchsorted(telling, int(near[-1]) + 1) :]
    return Edge(
        last=end,
        good=int(behind[0]) if behind.size else None,
        within=int(near[0]),
        beyond=int(sure[0]) if sure.size else None,
        telling=tuple(np.flatnonzero(tells).tolist()),
    )


def _gains(failed: Bools, kind: Strata, p: float, end: int, *, cautious: bool = False) -> tuple[Floats, Floats]:
    """What each request says for "still down" against "up again", as a log-likelihood ratio; and each kind's success.

    With `cautious`, luck that n requests cannot exclude (the rule of three: 3 / n at 95 %) is allowed for, up to LUCK.
    """
    head_failed, head_kind = failed[: end + 1], kind[: end + 1]
    q_all = (int(head_failed.sum()) + 1.0) / (head_failed.size + 1.0 + LUCK)
    kinds = int(kind.max()) + 1
    seen = np.bincount(head_kind, minlength=kinds)
    lost = np.bincount(head_kind, weights=head_failed, minlength=kinds)
    apart = (lost - seen * q_all) ** 2 > SIGMAS**2 * seen * q_all * (1 - q_all)
    apart |= q_all < 0.5  # what spares most requests spares some kinds wholly
    q = np.clip(np.where(apart, (lost + q_all) / (seen + 1.0), q_all), p, 1 - 1e-4)
    if cautious:
        q = np.maximum(np.minimum(q, 1 - np.minimum(LUCK, 3.0 / (seen + 1.0))), p)
    success: Floats = np.log1p(-q) - math.log1p(-p)
    return np.where(failed, np.log(q / p)[kind], success[kind]), success
