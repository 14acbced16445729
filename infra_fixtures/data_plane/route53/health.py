"""Health checks as configured, and what Route 53 makes of them: from checkers, alarms and other health checks.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html and
https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HEALTHY_SHARE = 0.18
"""An endpoint is healthy while more than this share of its checkers call it healthy."""
ENDPOINT_TYPES = frozenset({"HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP"})
DEEPEST = 8
"""Calculated checks are followed so far down: AWS forbids that they contain themselves, the API here may not."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What checkers do: whom they ask for what, how often, and after how many answers in a row they change their mind.

    `interval_s` is RequestInterval as the API holds it (unpaced); `host` is the domain name, `ip` overrides where it
    leads; `search` is the string to be found, for the STR_MATCH types.
    """

    type: str
    ip: str | None
    host: str | None
    port: int
    path: str
    search: str | None
    interval_s: float
    threshold: int
    sni: bool
    regions: tuple[str, ...]

    @property
    def tls(self) -> bool:
        """Whether it is asked over TLS."""
        return self.type.startswith("HTTPS")

    def __str__(self) -> str:
        where = f"{self.host or self.ip}:{self.port}"
        return f"tcp://{where}" if self.type == "TCP" else f"{'https' if self.tls else 'http'}://{where}{self.path}"


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One health check; `endpoint`, `children` or `alarm` (region, name) says what it looks at, by its type."""

    id: str
    type: str
    inverted: bool = False
    disabled: bool = False
    endpoint: Endpoint | None = None
    children: tuple[str, ...] = ()
    health_threshold: int = 0
    alarm: tuple[str, str] | None = None
    insufficient: str = "LastKnownStatus"


def read_health_check(found: Mapping[str, Any]) -> HealthCheck:
    """A health check of ListHealthChecks."""
    config = found["HealthCheckConfig"]
    kind = str(config["Type"])
    alarm = config.get("AlarmIdentifier")
    return HealthCheck(
        id=str(found["Id"]),
        type=kind,
        inverted=bool(config.get("Inverted")),
        disabled=bool(config.get("Disabled")),
        endpoint=_endpoint(kind, config) if kind in ENDPOINT_TYPES else None,
        children=tuple(config.get("ChildHealthChecks") or ()),
        health_threshold=int(config.get("HealthThreshold") or 0),
        alarm=(str(alarm["Region"]), str(alarm["Name"])) if alarm else None,
        insufficient=str(config.get("InsufficientDataHealthStatus") or "LastKnownStatus"),
    )


def _endpoint(kind: str, config: Mapping[str, Any]) -> Endpoint:
    path = str(config.get("ResourcePath") or "/")
    return Endpoint(
        type=kind,
        ip=config.get("IPAddress") or None,
        host=config.get("FullyQualifiedDomainName") or None,
        port=int(config.get("Port") or (443 if kind.startswith("HTTPS") else 80)),
        path=path if path.startswith("/") else f"/{path}",
        search=config.get("SearchString") or None,
        interval_s=float(config.get("RequestInterval") or 30),
        threshold=int(config.get("FailureThreshold") or 3),
        sni=bool(config.get("EnableSNI")),
        regions=tuple(config.get("Regions") or ()),
    )


@dataclass(slots=True)
class HealthStates:
    """Which health checks are healthy. Feed it settings, votes and alarm states, then `refresh`."""

    checks: dict[str, HealthCheck] = field(default_factory=dict)
    votes: dict[str, list[bool]] = field(default_factory=dict)
    """By health check, what each of its checkers says of the endpoint, before Inverted."""
    alarms: dict[tuple[str, str], str] = field(default_factory=dict)
    """OK, ALARM or INSUFFICIENT_DATA by (region, name)."""
    _known: dict[str, bool] = field(default_factory=dict)
    _status: dict[str, bool] = field(default_factory=dict)

    def configure(self, checks: Iterable[HealthCheck]) -> None:
        """Take over the settings of all health checks."""
        self.checks = {c.id: c for c in checks}
        for known in (self.votes, self._known):
            for gone in known.keys() - self.checks.keys():
                del known[gone]

    def healthy(self, check_id: str) -> bool:
        """The status as of the last `refresh`; a health check that is not there is healthy."""
        return self._status.get(check_id, True)

    def refresh(self) -> list[tuple[HealthCheck, bool]]:
        """Work all statuses out again; those that changed, and those that are new and not healthy."""
        before = self._status
        self._status = {i: self._of(c, 0) for i, c in self.checks.items()}
        return [(self.checks[i], well) for i, well in self._status.items() if before.get(i, True) != well]

    def _of(self, check: HealthCheck, depth: int) -> bool:
        """A disabled check counts as healthy, and Inverted is applied last: disabled and inverted is unhealthy."""
        return (check.disabled or self._observed(check, depth)) != check.inverted

    def _observed(self, check: HealthCheck, depth: int) -> bool:
        if check.endpoint is not None:
            return endpoint_healthy(self.votes.get(check.id, ()))
        if check.type == "CALCULATED":
            if depth >= DEEPEST:
                return True
            children = [self.checks[c] for c in check.children if c in self.checks]
            missing = len(check.children) - len(children)
            return missing + sum(self._of(c, depth + 1) for c in children) >= check.health_threshold
        if check.type == "CLOUDWATCH_METRIC" and check.alarm is not None:
            return self._alarm(check, self.alarms.get(check.alarm, "INSUFFICIENT_DATA"))
        return True  # RECOVERY_CONTROL: there is no routing control here

    def _alarm(self, check: HealthCheck, state: str) -> bool:
        if state != "INSUFFICIENT_DATA":
            self._known[check.id] = state == "OK"
        elif check.insufficient != "LastKnownStatus":
            return check.insufficient == "Healthy"
        return self._known.get(check.id, True)


def endpoint_healthy(votes: Sequence[bool]) -> bool:
    """Whether more than 18 % of the checkers call an endpoint healthy; a new one, without any, is."""
    return not votes or sum(votes) / len(votes) > HEALTHY_SHARE
