"""What a link does to what passes: the rules that faults put on it, what they come to together, and what the VPC decides.

A link holds a set of rules, each under a name of its own: whoever put one there takes it away again, and the rest stay in
force (`compose`). `Reachability` is the verdict of security groups, network ACLs and routes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from drill.unusable import UnusableInput
from infra_fixtures.link_rule import LinkRule

INTERNAL = "internal:"
"""How the identity of a rule begins that the data plane itself sets; no caller can name it."""
_IDENTITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Stall:
    """Stalls as one rule wants them; two rules' are independent of each other."""

    rule: str
    every_s: float
    for_s: float


@dataclass(frozen=True, slots=True)
class Way:
    """What all rules together do to one direction; see `LinkRule`."""

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


def compose(rules: Mapping[str, LinkRule]) -> Conditions:
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


def read_rule(body: bytes) -> LinkRule:
    """A request's JSON body; UnusableInput where it is no rule."""
    try:
        return msgspec.json.decode(body or b"{}", type=LinkRule)
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
class Reachability:
    """What the VPC says of connections from one source.

    `opens`: a new connection may be made. `tracked`: one made now outlives the security-group rule that admitted it.
    `stateless`: network ACLs and routes let packets pass both ways, established or not. `denied`: services of AWS, by the
    names that requests are signed for, whose addresses packets do not reach although they reach others.
    Source: VPC user guide, "Security group connection tracking" and "Network ACLs".
    """

    opens: bool
    tracked: bool
    stateless: bool
    denied: frozenset[str] = frozenset()

    def keeps(self, *, tracked: bool, service: str | None = None) -> bool:
        """Whether an established connection lives on; `service` is the one that it is to, where that is known."""
        return self.stateless and (self.opens or tracked) and service not in self.denied


OPEN = Reachability(opens=True, tracked=True, stateless=True)
"""Where there is nothing to judge."""
