"""What the system costs while it stands: list prices of us-east-1; of the largest part, the databases, the Pricing API's.

An estimate for the plan, for deciding whether to begin; the bill is AWS's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra_fixtures.topology import Topology

SOURCE = (
    "list prices of us-east-1 as noted here in November 2026, which nobody has checked since; https://aws.amazon.com/pricing has "
    "today's"
)
INSTANCES_USD_H: Mapping[str, float] = {
    "db.r6g.large": 0.26,
    "db.r6g.xlarge": 0.519,
    "db.t4g.medium": 0.073,
    "db.t3.medium": 0.082,
}
ENDPOINT_ZONE_USD_H = 0.01
"""An interface endpoint in one zone (https://aws.amazon.com/privatelink/pricing/)."""
MONTH_H = 730.0
MONTHLY_USD: Mapping[str, float] = {"KMS key": 1.0, "secret": 0.40, "health check (HTTPS, fast)": 4.75, "alarm": 0.10}
UNPRICED = (
    "requests, invocations, logs, storage, replication time control ($0.015 a GB) and transfer between regions come on top: "
    "cents for a drill of an hour"
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """In US dollars an hour; None where a part has no known price."""

    usd_h: float | None
    source: str

    def sentence(self, hours: float) -> str:
        """For the plan."""
        if self.usd_h is None:
            return f"not known: {self.source}"
        return (
            f"about ${self.usd_h:.2f} an hour while it stands, ${self.usd_h * hours:.2f} for {hours:g} h ({self.source}); "
            f"{UNPRICED}"
        )


def estimate(topology: Topology, client: Callable[[str, str | None], Any] | None) -> Estimate:
    """Of the whole system; `client` asks the Pricing API, None: nobody is asked."""
    instances, asked = 0.0, client is not None
    for plan in topology.regions:
        kind = plan.capacity.instance_class
        price = _asked(client, kind, plan.name) if client is not None else None
        asked = asked and price is not None
        price = INSTANCES_USD_H.get(kind) if price is None else price
        if price is None:
            return Estimate(None, f"{kind} is in no price list here; see https://aws.amazon.com/rds/aurora/pricing/")
        instances += price
    zones = len([s for s in topology.subnets if not s.public])
    endpoints = ENDPOINT_ZONE_USD_H * zones * len(topology.regions)
    counts = {"KMS key": 2, "secret": 2, "health check (HTTPS, fast)": 2, "alarm": 11}
    monthly = sum(MONTHLY_USD[what] * count for what, count in counts.items()) / MONTH_H
    source = f"databases by the Pricing API, the rest by {SOURCE}" if asked else SOURCE
    return Estimate(instances + endpoints + monthly, source)


def _asked(client: Callable[[str, str | None], Any], kind: str, region: str) -> float | None:
    """The on-demand price of an instance; None where it is not told.

    https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/price-changes.html; the API is in us-east-1.
    """
    wanted = {"instanceType": kind, "databaseEngine": "Aurora PostgreSQL", "regionCode": region}
    filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
    try:
        found = client("pricing", "us-east-1").get_products(ServiceCode="AmazonRDS", Filters=filters)["PriceList"]
    except (ClientError, BotoCoreError, KeyError):
        return None
    prices = [price for text in found for price in _on_demand(json.loads(text))]
    return min(prices, default=None)


def _on_demand(product: Mapping[str, Any]) -> list[float]:
    """The dearest storage configuration (I/O-Optimized) is another product: the least is that of Aurora Standard."""
    terms = product.get("terms", {}).get("OnDemand", {}).values()
    dimensions = [d for term in terms for d in term.get("priceDimensions", {}).values() if d.get("unit") == "Hrs"]
    return [price for d in dimensions if (price := float(d.get("pricePerUnit", {}).get("USD", 0))) > 0]
