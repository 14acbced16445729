"""What is asked of the system under test, and where it is: the frozen settings of one load generator.

Both the harness and the Locust process read this module, so it imports nothing heavy (polars stays out of Locust).
"""

from __future__ import annotations

import itertools
import math
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from drill.schedule import FASTEST, MOST_LEGS, Leg
from drill.unusable import UnusableInput

FOLLOWER = "follower"
STICKY = "sticky"
FRESH = "fresh"
COHORTS = (FOLLOWER, STICKY, FRESH)
KEY_BITS = 20


def amount_of(key: int) -> int:
    """The content that a write carries (an order: its amount) follows from its key, so that a survivor's content can be
    checked without a table."""
    return key % 9973 + 1


@dataclass(frozen=True, slots=True)
class RampPoint:
    """So many writes a second, so many seconds after the load began."""

    per_s: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Load:
    """An open-loop load: orders and reads start when the schedule says so, however slow the answers are.

    `orders_per_s`, `reads_per_s`: arrival rates; with a `ramp` those after its last point. Between its points the rate
    moves evenly, before the first it is the first's, two at one time make a step, and reads keep their share throughout.
    At most `most_in_flight` requests are under way; more are recorded as not sent, and prove nothing. Every order whose
    key is a multiple of `receipt_every` asks for a receipt (0: none does). `cohorts`: the share of requests each kind of
    client sends; follower drops a connection whose peer left the current DNS answer, sticky keeps its connection while it
    lives, fresh opens one per request. `connect_timeout_s` limits resolving and connecting each, `request_timeout_s` the
    time from sending to the last byte of the answer. With `read_keys` nothing is written at all: records of these keys are
    read, `reads_per_s` of them a second. `seed` decides keys and cohorts; drawn anew unless given, so that
    runs never share keys. Raises UnusableInput.
    """

    orders_per_s: float = 200.0
    reads_per_s: float = 20.0
    ramp: tuple[RampPoint, ...] = ()
    most_in_flight: int = 5_000
    receipt_every: int = 10
    cohorts: Mapping[str, float] = field(default_factory=lambda: {FOLLOWER: 0.7, FRESH: 0.1, STICKY: 0.2})
    connect_timeout_s: float = 2.0
    request_timeout_s: float = 3.0
    read_keys: tuple[int, ...] = ()
    seed: int = field(default_factory=lambda: secrets.randbelow(2**31))

    @property
    def most_per_s(self) -> float:
        """The most requests a second that are ever due."""
        writes = max([self.orders_per_s, *(point.per_s for point in self.ramp)])
        return writes * (1 + self.reads_per_s / self.orders_per_s)

    def __post_init__(self) -> None:
        fastest = f" (at most {FASTEST})"
        _require(0 < self.orders_per_s <= FASTEST, f"orders_per_s is {self.orders_per_s}: give a rate above 0{fastest}")
        _require(
            0 <= self.reads_per_s <= FASTEST, f"reads_per_s is {self.reads_per_s}: give a rate of 0 or more{fastest}"
        )
        _require(
            not self.read_keys or self.reads_per_s > 0, "read_keys are given and reads_per_s is 0: give a rate above 0"
        )
        _require(self.most_in_flight > 0, f"most_in_flight is {self.most_in_flight}: give 1 or more")
        self._check_ramp()
        _require(self.receipt_every >= 0, f"receipt_every is {self.receipt_every}: give 0 (none) or more")
        for name in ("connect_timeout_s", "request_timeout_s"):
            value = getattr(self, name)
            _require(0 < value < math.inf, f"{name} is {value}: give seconds above 0")
        strangers = sorted(set(self.cohorts) - set(COHORTS))
        _require(not strangers, f"unknown cohort {', '.join(strangers)}: known are {', '.join(COHORTS)}")
        _require(
            all(share >= 0 for share in self.cohorts.values()) and math.isclose(sum(self.cohorts.values()), 1.0),
            f"the cohorts' shares {dict(self.cohorts)} must each be 0 or more and add up to 1",
        )

    def _check_ramp(self) -> None:
        _require(len(self.ramp) <= MOST_LEGS, f"ramp has {len(self.ramp)} points: give at most {MOST_LEGS}")
        before = 0.0
        for point in self.ramp:
            said = f"ramp has the point {point.per_s:g}@{point.at_s:g}"
            _require(0 <= point.per_s <= FASTEST, f"{said}: give a rate from 0 to {FASTEST}")
            _require(before <= point.at_s < math.inf, f"{said} after one at {before:g} s: give points in order of time")
            before = point.at_s
        _require(
            not self.ramp or self.ramp[-1].per_s == self.orders_per_s,
            f"ramp ends otherwise than with orders_per_s, {self.orders_per_s:g}: give the rate that holds from its end on",
        )

    def legs(self, share: float = 1.0) -> tuple[Leg, ...]:
        """The ramp as a schedule tells it, for requests that are `share` of the writes in number."""
        if not self.ramp:
            return ()
        points = [RampPoint(self.ramp[0].per_s, 0.0), *self.ramp]
        return tuple(
            Leg(b.at_s - a.at_s, a.per_s * share, b.per_s * share)
            for a, b in itertools.pairwise(points)
            if b.at_s > a.at_s
        )

    @property
    def first_key(self) -> int:
        """Keys of a run count up from here; below 2**52, so that every JSON reader keeps them exact."""
        return random.Random(self.seed).randrange(1, 2**32) << KEY_BITS

    @property
    def own_keys(self) -> range:
        """The keys of its first million writes: no load of another seed writes them."""
        return range(self.first_key, self.first_key + (1 << KEY_BITS))


@dataclass(frozen=True, slots=True)
class Service:
    """Where the orders go: `base_url` as clients know it, resolved through the name server `dns_host`:`dns_port`.

    `dns_host` None: the host's own name servers (/etc/resolv.conf). `headers` are sent with every request. `regions`: which
    region is reached at an address, for answers that do not say who served. Raises UnusableInput.
    """

    base_url: str = "http://api.dr-drill.example:18080"
    api_key: str | None = field(default=None, repr=False)
    dns_host: str | None = None
    dns_port: int = 53
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    regions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        _require(
            url.scheme in ("http", "https") and bool(url.hostname) and not url.query and not url.fragment,
            f"base_url {self.base_url!r} is not an http or https URL of the form http://name:port",
        )
        values = [*self.headers, *self.headers.values(), self.api_key or "", self.base_url]
        _require(not any(c in v for v in values for c in "\r\n"), "no header, key or URL may hold a line break")

    @property
    def url(self) -> SplitResult:
        """`base_url` taken apart."""
        return urlsplit(self.base_url)

    @property
    def host(self) -> str:
        """The name that clients resolve."""
        return self.url.hostname or ""

    @property
    def port(self) -> int:
        """The port they connect to."""
        return self.url.port or (443 if self.tls else 80)

    @property
    def tls(self) -> bool:
        """Whether they speak TLS."""
        return self.url.scheme == "https"


def _require(condition: bool, sentence: str) -> None:
    if not condition:
        raise UnusableInput(f"load: {sentence}")
