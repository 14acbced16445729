"""Route 53 health checks: their status is what the checkers observed, and their settings survive an update.

moto says Success from 127.0.13.37 whatever happens, drops AlarmIdentifier, and forgets children and checker regions
when anything else of a check is updated.
https://docs.aws.amazon.com/Route53/latest/APIReference/API_HealthCheckConfig.html
"""

from __future__ import annotations

from typing import Any

import moto.route53.urls as route53_urls
from moto.core.responses import ActionResult
from moto.route53.exceptions import InvalidInput, NoSuchHealthCheck, Route53ClientError
from moto.route53.models import HealthCheck, Route53Backend, route53_backends
from moto.route53.responses import Route53

from infra_fixtures.control_plane.overlays.patching import adds, replaces
from infra_fixtures.run_layout import RunLayout

RESETTABLE = {
    "FullyQualifiedDomainName": "fqdn",
    "Regions": "regions",
    "ResourcePath": "resource_path",
    "ChildHealthChecks": "children",
}
"""UpdateHealthCheck's ResetElements, by moto's attribute."""

LAST_FAILURE_URL = r"{0}/(?P<api_version>[\d_-]+)/healthcheck/(?P<health_check_id>[^/]+)/lastfailurereason$"


def apply(layout: RunLayout) -> None:
    """Mend moto's health checks."""
    replaces(Route53, "create_health_check")(_creating(Route53.create_health_check))
    replaces(Route53, "update_health_check")(_update)
    replaces(Route53, "get_health_check_status")(_status)
    adds(Route53, "get_health_check_last_failure_reason")(_last_failure)
    replaces(Route53Backend, "delete_health_check")(_delete)
    replaces(HealthCheck, "health_check_config")(property(_configuring(vars(HealthCheck)["health_check_config"])))
    route53_urls.url_paths[LAST_FAILURE_URL] = Route53.dispatch


def observe(account_id: str, health_check_id: str, observations: list[dict[str, Any]]) -> bool:
    """Take over what the checkers saw; False where their statuses are as before. KeyError where there is no check."""
    check = route53_backends[account_id]["aws"].health_checks[health_check_id]
    before = [(o["Region"], o["IPAddress"], o["StatusReport"]["Status"]) for o in _observations(check)]
    check.__dict__["observations"] = observations
    failures: dict[tuple[str, str], dict[str, Any]] = check.__dict__.setdefault("failures", {})
    for o in observations:
        if o["StatusReport"]["Status"].startswith("Failure"):
            failures[o["Region"], o["IPAddress"]] = o
    return before != [(o["Region"], o["IPAddress"], o["StatusReport"]["Status"]) for o in observations]


def _observations(check: HealthCheck) -> list[dict[str, Any]]:
    observations: list[dict[str, Any]] = check.__dict__.get("observations", [])
    return observations


def _creating(original: Any) -> Any:
    def create_health_check(self: Route53) -> ActionResult:
        """The same CallerReference again: the check that is there where the settings are its own, an error else."""
        config = self._get_param("HealthCheckConfig")
        reference = self._get_param("CallerReference")
        kept = {k: config[k] for k in ("AlarmIdentifier", "InsufficientDataHealthStatus") if config.get(k)}
        if config["Type"] == "CLOUDWATCH_METRIC" and "AlarmIdentifier" not in kept:
            raise InvalidInput("AlarmIdentifier is required for a health check of type CLOUDWATCH_METRIC")
        asked = {k: config[k] for k in sorted(config)}
        for check in self.backend.health_checks.values():
            if check.caller_reference == reference:
                if check.__dict__.get("asked") == asked:
                    return ActionResult({"HealthCheck": check})
                raise Route53ClientError(
                    "HealthCheckAlreadyExists", f"A health check with caller reference {reference} already exists."
                )
        result: ActionResult = original(self)
        made = result.result["HealthCheck"]  # type: ignore[index]
        made.__dict__.update(asked=asked, alarm=kept)
        return result

    return create_health_check


def _configuring(original: property) -> Any:
    def health_check_config(self: HealthCheck) -> dict[str, Any]:
        config: dict[str, Any] = original.__get__(self, HealthCheck)
        if self.type_ == "CLOUDWATCH_METRIC":  # has no endpoint, so nothing of one
            for name in ("IPAddress", "Port", "RequestInterval", "FailureThreshold", "MeasureLatency", "EnableSNI"):
                config.pop(name, None)
        return {**config, **self.__dict__.get("alarm", {})}

    return health_check_config


def _update(self: Route53) -> ActionResult:
    """Change what is named and nothing else; HealthCheckVersion, where given, must be the current one."""
    check = self.backend.get_health_check(self._get_param("HealthCheckId"))
    version = self._get_param("HealthCheckVersion")
    if version is not None and int(version) != check.health_check_version:
        raise Route53ClientError(
            "HealthCheckVersionMismatch",
            f"The health check is at version {check.health_check_version}, the request names {version}.",
        )
    named = {
        "ip_address": "IPAddress",
        "port": "Port",
        "resource_path": "ResourcePath",
        "fqdn": "FullyQualifiedDomainName",
        "search_string": "SearchString",
        "failure_threshold": "FailureThreshold",
        "health_threshold": "HealthThreshold",
        "inverted": "Inverted",
        "disabled": "Disabled",
        "enable_sni": "EnableSNI",
        "children": "ChildHealthChecks",
        "regions": "Regions",
    }
    for attribute, parameter in named.items():
        value = self._get_param(parameter)
        if value is not None:
            setattr(check, attribute, value)
    alarm: dict[str, Any] = check.__dict__.setdefault("alarm", {})
    for parameter in ("AlarmIdentifier", "InsufficientDataHealthStatus"):
        value = self._get_param(parameter)
        if value is not None:
            alarm[parameter] = value
    for element in self._get_param("ResetElements") or []:
        setattr(check, RESETTABLE[element], None)
    check.health_check_version += 1
    return ActionResult({"HealthCheck": check})


def _status(self: Route53) -> ActionResult:
    check = self.backend.get_health_check(self._get_param("HealthCheckId"))
    return ActionResult({"HealthCheckObservations": _observations(check)})


def _last_failure(self: Route53) -> ActionResult:
    check = self.backend.get_health_check(self._get_param("HealthCheckId"))
    failures: dict[Any, dict[str, Any]] = check.__dict__.get("failures", {})
    return ActionResult({"HealthCheckObservations": list(failures.values())})


def _delete(self: Route53Backend, health_check_id: str) -> None:
    if self.health_checks.pop(health_check_id, None) is None:
        raise NoSuchHealthCheck(health_check_id)
