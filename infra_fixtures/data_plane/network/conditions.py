"""What a link does to what passes: the rules that faults put on it, what they come to together, and what the VPC decides.

A link holds a set of rules, each under a name of its own: whoever put one there takes it away again, and the rest stay in
force (`compose`). `Passage` is the verdict of security groups, network ACLs and routes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from drill.unusable import UnusableInput

MOST_MS = 3_600_000.0
"""The longest latency, jitter or stall: an hour, which outlasts any drill."""
LEAST_BANDWIDTH = 1.0
LEAST_STALL_EVERY_S = 0.01
INTERNAL = "internal:"
"""How the identity of a rule begins that the data plane itself sets; no caller can name it."""
_IDENTITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault on a link; 0 or False is "not that". ValueError where it is no rule.

    `direction`: what passes `up`, from the side that dials, `down`, to it, or `both`. `latency_ms` and `jitter_ms` (evenly
    spread) delay each way they cover, `bandwidth` is bytes/s. `cut` is a black hole: nothing passes and nobody is told.
    Connections that were open then are reset when it ends. `refuse` turns new connections away, whatever the direction;
    open ones stay.

    `stall_every_s` and `stall_for_ms` stop each connection for that long, at random moments that lie that far apart in
    the mean (from the end of one stall to the start of the next, exponentially distributed): what TCP makes of a lost
    segment, behind which everything waits for the retransmission. The default is the least time that Linux waits for it,
    200 ms (`tcp_rto_min_us`: https://docs.kernel.org/networking/ip-sysctl.html); RFC 6298, section 2.4, asks for 1 s.
    """

    direction: Literal["up", "down", "both"] = "both"
    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    bandwidth: float = 0.0
    cut: bool = False
    refuse: bool = False
    stall_every_s: float = 0.0
    stall_for_ms: float = 200.0

    def __post_init__(self) -> None:
        """Refuse what cannot be done."""
        for name in ("latency_ms", "jitter_ms", "bandwidth", "stall_every_s", "stall_for_ms"):
            figure = getattr(self, name)
            if not math.isfinite(figure) or figure < 0:
                raise ValueError(f"{name} is {figure}: it must be a finite number, 0 or more")
            if name.endswith("_ms") and figure > MOST_MS:
                raise ValueError(f"{name} is {figure:g}: it must be at most {MOST_MS:g}, an hour")
        if 0 < self.bandwidth < LEAST_BANDWIDTH:
            raise ValueError(f"bandwidth is {self.bandwidth:g}: it must be at least 1 byte/s, or 0 for no limit")
        if 0 < self.stall_every_s < LEAST_STALL_EVERY_S:
            raise ValueError(f"stall_every_s is {self.stall_every_s:g}: it must be at least {LEAST_STALL_EVERY_S:g}")
        if self.stall_every_s and not self.stall_for_ms:
            raise ValueError("stall_for_ms is 0: a stall that takes no time is none")
        kinds = (self.latency_ms, self.jitter_ms, self.bandwidth, self.cut, self.refuse, self.stall_every_s)
        if not any(kinds):
            raise ValueError(
                "the rule changes nothing: name a latency_ms, jitter_ms, bandwidth, cut, refuse or stall_every_s"
            )


@dataclass(frozen=True, slots=True)
class Stall:
    """Stalls as one rule wants them; two rules' are independent of each other."""

    rule: str
    every_s: float
    for_s: float


@dataclass(frozen=True, slots=True)
class Way:
    """What all rules together do to one direction; see `Rule`."""

    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    bandwidth: float = 0.0
    cut: bool = False
    stalls: tuple[Stall, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether bytes pass untouched."""
        return not (self.latency_ms or self.jitter_ms or self.bandwidth or self.cut or self.stalls)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a link's rules come to."""

    up: Way = Way()
    down: Way = Way()
    refuse: bool = False

    @property
    def partitioned(self) -> bool:
        """Whether a connection over the link cannot work, for want of one direction or both."""
        return self.up.cut or self.down.cut


def compose(rules: Mapping[str, Rule]) -> Conditions:
    """What a set of rules comes to, whatever their order.

    Latencies and jitters add, the least bandwidth wins, any cut cuts, any refusal refuses, stalls are independent.
    """

    def way(direction: str) -> Way:
        held = {name: r for name, r in rules.items() if r.direction in (direction, "both")}
        return Way(
            latency_ms=math.fsum(r.latency_ms for r in held.values()),  # exact, so that no order differs from another
            jitter_ms=math.fsum(r.jitter_ms for r in held.values()),
            bandwidth=min((r.bandwidth for r in held.values() if r.bandwidth), default=0.0),
            cut=any(r.cut for r in held.values()),
            stalls=tuple(
                Stall(name, r.stall_every_s, r.stall_for_ms / 1000)
                for name, r in sorted(held.items())
                if r.stall_every_s
            ),
        )

    return Conditions(way("up"), way("down"), any(r.refuse for r in rules.values()))


def read_rule(body: bytes) -> Rule:
    """A request's JSON body; UnusableInput where it is no rule."""
    try:
        return msgspec.json.decode(body or b"{}", type=Rule)
    except msgspec.DecodeError as e:
        raise UnusableInput(f"the rule is not understood: {e}") from None


def read_identity(text: str) -> str:
    """A rule's identity as a caller may choose it; UnusableInput."""
    if not _IDENTITY.fullmatch(text):
        raise UnusableInput(
            f"{text!r} cannot name a rule: use 1 to 64 letters, digits, '.', '-' and '_', a letter or digit first"
        )
    return text


@dataclass(frozen=True, slots=True)
class Passage:
    """What the VPC says of connections from one source.

    `opens`: a new connection may be made. `tracked`: one made now outlives the security-group rule that admitted it.
    `stateless`: network ACLs and routes let packets pass both ways, established or not.
    Source: VPC user guide, "Security group connection tracking" and "Network ACLs".
    """

    opens: bool
    tracked: bool
    stateless: bool

    def keeps(self, *, tracked: bool) -> bool:
        """Whether an established connection lives on."""
        return self.stateless and (self.opens or tracked)


OPEN = Passage(opens=True, tracked=True, stateless=True)
"""Where there is nothing to judge."""
