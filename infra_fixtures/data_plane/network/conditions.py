"""What a link does to what passes: as faults set it (`Conditions`), and as the VPC's rules decide it (`Passage`)."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from drill.unusable import UnusableInput


class Way(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One direction: delay (ms, one way), jitter (ms, added, evenly spread), bandwidth (bytes/s, 0 = no limit)."""

    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    bandwidth: float = 0.0
    black_hole: bool = False
    """Nothing passes and nobody is told; connections that were open then are reset when it ends."""

    @property
    def plain(self) -> bool:
        """Whether bytes pass untouched."""
        return not (self.latency_ms or self.jitter_ms or self.bandwidth or self.black_hole)


PLAIN = Way()


class Conditions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A link's faults: `up` is from the side that dials, `refuse` turns new connections away (established ones stay)."""

    up: Way = PLAIN
    down: Way = PLAIN
    refuse: bool = False

    @property
    def dark(self) -> bool:
        """Whether a connection over the link cannot work, for want of one direction or both."""
        return self.up.black_hole or self.down.black_hole


class ConditionsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one may ask of a link: what is not named stays as it is; the short forms stand for both directions.

    `cut` is a black hole both ways; `reset` resets every open connection once; `active` gives the endpoint a role or
    takes it.
    """

    cut: bool | None = None
    latency_ms: float | None = None
    jitter_ms: float | None = None
    bandwidth: float | None = None
    up: Way | None = None
    down: Way | None = None
    refuse: bool | None = None
    active: bool | None = None
    reset: bool = False

    def applied_to(self, present: Conditions) -> Conditions:
        """The conditions that result."""

        def way(named: Way | None, kept: Way) -> Way:
            start = kept if named is None else named
            return msgspec.structs.replace(
                start,
                latency_ms=start.latency_ms if self.latency_ms is None else self.latency_ms,
                jitter_ms=start.jitter_ms if self.jitter_ms is None else self.jitter_ms,
                bandwidth=start.bandwidth if self.bandwidth is None else self.bandwidth,
                black_hole=start.black_hole if self.cut is None else self.cut,
            )

        return Conditions(
            way(self.up, present.up),
            way(self.down, present.down),
            present.refuse if self.refuse is None else self.refuse,
        )


def read_request(body: bytes) -> ConditionsRequest:
    """A request's JSON body; UnusableInput where it says something a link does not know."""
    try:
        request = msgspec.json.decode(body or b"{}", type=ConditionsRequest)
    except msgspec.DecodeError as e:
        raise UnusableInput(f"a link's conditions are not understood: {e}") from None
    figures = [request.latency_ms, request.jitter_ms, request.bandwidth]
    figures += [f for w in (request.up, request.down) if w for f in (w.latency_ms, w.jitter_ms, w.bandwidth)]
    if any(f is not None and f < 0 for f in figures):
        raise UnusableInput("a link's latency, jitter and bandwidth cannot be negative")
    return request


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
