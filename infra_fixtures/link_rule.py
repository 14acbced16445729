"""What one rule does to what passes a link: the words of faults, and what the links of a model obey."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

MOST_MS = 3_600_000.0
"""The longest latency, jitter or stall: an hour, which outlasts any drill."""
LEAST_BANDWIDTH = 1.0
LEAST_STALL_EVERY_S = 0.01


class LinkRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
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
