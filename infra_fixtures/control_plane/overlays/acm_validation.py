"""A certificate is issued once the record that ACM asks for is in a hosted zone; moto issues it by the clock.

https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
"""

from __future__ import annotations

from typing import Any

from moto.acm.models import CertBundle
from moto.route53.models import route53_backends

from infra_fixtures.control_plane.overlays.patching import replaces
from infra_fixtures.run_layout import RunLayout

ISSUED = "ISSUED"


def apply(layout: RunLayout) -> None:
    """Have moto look into the zones."""
    replaces(CertBundle, "check")(_looking(CertBundle.check, layout.account_id))


def _looking(original: Any, account: str) -> Any:
    def check(self: CertBundle) -> None:
        before = self.status
        original(self)
        if self.type == "AMAZON_ISSUED" and before != ISSUED:
            options = self.describe()["Certificate"]["DomainValidationOptions"]
            proven = all(_is_there(account, option["ResourceRecord"]) for option in options)
            self.status = ISSUED if proven else before

    return check


def _is_there(account: str, wanted: dict[str, str]) -> bool:
    zones = route53_backends[account]["aws"].zones.values()
    return any(
        record.name == wanted["Name"].lower()
        and record.type == wanted["Type"]
        and wanted["Value"] in (record.records or ())
        for zone in zones
        for record in zone.rrsets
    )
