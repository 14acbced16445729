"""The scripts: how a service fails, from when to when, and what it loses. Fixed beforehand, drawn from a seed."""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass

BASELINE_S = 0.7
"""How long all is well before the first outage of a script."""
SUSTAINED_S = 0.9
"""How long all is well behind the last one."""
SLOW_S = 0.45
"""How long a slow answer takes; more than the deadline, less than the clients' patience."""
DNS_S = 1.3
"""A DNS answer is kept for its TTL of 1 s at most, and asked for with the next request."""
LOST_BUT_KEPT = 7
"""Of the writes that a loss covers, one in so many is kept all the same: losses have holes."""


class How(enum.StrEnum):
    """What a request meets with while service is down."""

    TURNED_AWAY = "turned away"  # 503, says that nothing was stored: surely not done
    ERROR = "error"  # 500, says nothing: in doubt; half of them are stored
    RESET = "reset"  # the request is read, then the connection reset; half are stored
    CLOSED = "closed"  # the same with an orderly end
    FROZEN = "frozen"  # the request is read and never answered; half are stored
    SLOW = "slow"  # stored and answered, but after SLOW_S
    REFUSED = "refused"  # nobody listens, open connections are reset
    NO_RECEIPT = "no receipt"  # the order is stored, its receipt is not
    GONE = "gone"  # refused until DNS leads elsewhere: the old region never comes back


class Whom(enum.StrEnum):
    """Which requests it happens to."""

    ALL = "all"
    FRESH = "fresh"  # clients with a connection a request
    READS = "reads"


@dataclass(frozen=True, slots=True)
class Script:
    """One truth, in seconds since its start. The fault is the first of `outages`, the recovery the end of the last.

    `share` of the requests of an outage fail, `stray` of all others. `dns_s`: DNS leads to the other region from then
    on (GONE only). `loses_s`: rows acknowledged so long before the fault are not in what survives, `loses_objects_s`
    the same for receipts; `loses_after`: so many rows acknowledged after recovery neither. `never`: the last outage
    lasts to the end of observation.
    """

    name: str
    how: How
    outages: tuple[tuple[float, float], ...]
    whom: Whom = Whom.ALL
    share: float = 1.0
    stray: float = 0.0
    dns_s: float | None = None
    loses_s: float = 0.0
    loses_objects_s: float = 0.0
    loses_after: int = 0
    never: bool = False

    @property
    def observed_s(self) -> float:
        """When observation ends."""
        if not self.outages:
            return BASELINE_S + SUSTAINED_S
        latest = max(b for _, b in self.outages)
        if self.never:
            return latest
        if self.dns_s is not None:
            latest = max(latest, self.dns_s + DNS_S)
        return latest + SUSTAINED_S

    @property
    def lasts_s(self) -> float:
        """When the next script may start: what was in flight has ended."""
        return self.observed_s + (1.0 if self.how in (How.FROZEN, How.SLOW) or self.never else 0.3)

    @property
    def sharp(self) -> bool:
        """Whether the end can be told to an arrival interval: nearly all requests fail, and they come regularly."""
        return self.share >= 0.9 and self.whom is not Whom.FRESH


def scripts(seed: int) -> list[Script]:
    """All truths, each with lengths and phases of its own, in random order."""
    chance = random.Random(seed)

    def once(least_s: float = 0.15, most_s: float = 0.8) -> tuple[tuple[float, float], ...]:
        began = BASELINE_S + chance.uniform(0, 0.02)
        return ((began, began + chance.uniform(least_s, most_s)),)

    found: list[Script] = []
    for how, times in (
        (How.TURNED_AWAY, 6),
        (How.ERROR, 5),
        (How.RESET, 5),
        (How.CLOSED, 4),
        (How.FROZEN, 5),
        (How.REFUSED, 5),
        (How.SLOW, 5),
    ):
        found += [Script(how, how, once()) for _ in range(times)]
    # 0.3 % is a third of what an availability of 99 % allows
    found += [Script("3 % lucky", How.TURNED_AWAY, once(0.3), share=0.97) for _ in range(4)]
    found += [Script("0.3 % strays", How.TURNED_AWAY, once(0.2), stray=0.003) for _ in range(4)]
    found += [Script("half of it", How.TURNED_AWAY, once(0.4), share=0.5) for _ in range(3)]
    for how in (How.TURNED_AWAY, How.RESET, How.ERROR, How.SLOW):
        first, second = once(0.15, 0.3)[0], chance.uniform(0.6, 0.9)
        again = first[1] + second
        found.append(Script("flapping", how, (first, (again, again + chance.uniform(0.15, 0.4)))))
    found += [Script("fresh clients alone", How.RESET, once(0.5), whom=Whom.FRESH) for _ in range(2)]
    found += [Script("reads alone", How.ERROR, once(0.6), whom=Whom.READS) for _ in range(2)]
    found += [Script("receipts alone", How.NO_RECEIPT, once(0.6)) for _ in range(2)]
    for _ in range(3):  # the standby serves, but DNS leads there late
        began = once()[0][0]
        found.append(Script("dns late", How.GONE, ((began, began),), dns_s=began + chance.uniform(0.2, 0.5)))
    for _ in range(3):  # DNS trusts a health check that lies: the standby is down as well
        began = once()[0][0]
        flips = began + chance.uniform(0.1, 0.3)
        ends = flips + DNS_S + chance.uniform(0.1, 0.4)
        found.append(Script("lying health check", How.GONE, ((began, ends),), dns_s=flips))
    for how in (How.TURNED_AWAY, How.ERROR, How.RESET, How.FROZEN, How.REFUSED, How.TURNED_AWAY):
        found.append(
            Script(
                "loses",
                how,
                once(0.15, 0.5),
                loses_s=chance.uniform(0.05, 0.5),
                loses_objects_s=chance.choice((0.0, 0.6)),
            )
        )
    found += [Script("split brain", How.TURNED_AWAY, once(0.15, 0.4), loses_after=n) for n in (1, 17)]
    found += [Script("never back", how, once(0.6), never=True) for how in (How.TURNED_AWAY, How.RESET)]
    found += [Script("nothing happens", How.TURNED_AWAY, (), stray=s) for s in (0.0, 0.003)]
    chance.shuffle(found)
    return found
