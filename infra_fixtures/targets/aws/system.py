"""The system of a run in the account: how it is called, what it is made of, and where what it makes is written down."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.exception
import dns.resolver
import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from drill.unusable import UnusableInput
from infra_fixtures.provision.naming import Names
from infra_fixtures.run_layout import EDGE_PORT
from infra_fixtures.safety.journal import Header
from infra_fixtures.targets.aws.options import REGIONS, Settings
from infra_fixtures.topology import FULL, SCALED_DOWN, RegionPlan, Topology, on_one_machine, warm_standby

LABEL = "api"
DOMAIN = "dr-drill.example."
"""Of an emulator's zone, which nobody has to be led to."""
LEDGER = "aws-ledger.jsonl"
RESOLVE_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class System:
    """`digest` is of the architecture, whatever the system is called."""

    settings: Settings
    names: Names
    topology: Topology
    digest: str
    ledger: Path

    @property
    def stays(self) -> bool:
        """Whether it outlives the run."""
        return bool(self.settings.deployment)


def system_of(run: Header, settings: Settings, route53: Any) -> System:
    """The run's system; `route53` says what the zone is called. Raises UnusableInput."""
    name = settings.deployment or run.run_id
    neutral = _topology(settings, run.pace, _domain(settings, route53))
    topology = msgspec.structs.replace(neutral, api_label=f"drill-{name.lower()}")
    records = Path(run.records)
    ledger = records.parent / f"{name}.{LEDGER}" if settings.deployment else records / LEDGER
    return System(settings, Names(name), topology, neutral.digest(), ledger)


def _domain(settings: Settings, route53: Any) -> str:
    if not settings.zone_id:
        return DOMAIN
    try:
        zone = route53.get_hosted_zone(Id=settings.zone_id)
    except (ClientError, BotoCoreError) as e:
        raise UnusableInput(
            f"--aws-zone {settings.zone_id} cannot be read ({e}): give the id of a zone of this account"
        ) from e
    if zone["HostedZone"]["Config"].get("PrivateZone"):
        raise UnusableInput(f"--aws-zone {settings.zone_id} is private: nobody outside its VPCs finds a name in it")
    return str(zone["HostedZone"]["Name"])


def _topology(settings: Settings, pace: float, domain: str) -> Topology:
    """Both regions in VPCs of their own: nothing of the account's own network is used."""
    topology = warm_standby(
        primary=RegionPlan(REGIONS[0], default_vpc=False, capacity=FULL),
        standby=RegionPlan(REGIONS[1], default_vpc=False, capacity=SCALED_DOWN),
    )
    topology = msgspec.structs.replace(topology, zone=domain, api_label=LABEL)
    if settings.engine_version:
        topology = msgspec.structs.replace(topology, engine_version=settings.engine_version)
    return topology if settings.emulator is None else on_one_machine(topology, pace)


def edges_of(settings: Settings) -> Mapping[str, str]:
    """Where an emulator's functions, which cannot resolve AWS's names, find each region's API; nothing on AWS."""
    if settings.emulator is None:
        return {}
    host, port = settings.emulator.name_server
    asking = dns.resolver.Resolver(configure=False)
    asking.nameservers, asking.port, asking.lifetime = [host], port, RESOLVE_LIMIT_S
    try:
        return {
            region: f"{asking.resolve(f'any.execute-api.{region}.amazonaws.com', 'A')[0]}:{EDGE_PORT}"
            for region in REGIONS
        }
    except dns.exception.DNSException as e:
        raise UnusableInput(f"--aws-name-server {host}:{port} does not say where the regions' APIs are ({e})") from e


def is_final(settings: Settings, endpoint: str) -> bool:
    """Whether a database endpoint serves: an emulator names it as AWS would until its data plane has made it."""
    if settings.emulator is None:
        return True
    try:
        ipaddress.ip_address(endpoint)
    except ValueError:
        return False
    return True
