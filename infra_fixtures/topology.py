"""The architecture under test as data: two regions, one plan, the standby a scaled-down mirror of the primary.

Security groups, network ACLs, subnets and settings are the same in both regions; only `Capacity` differs, and that the
primary uses its account's default VPC while the standby has a mirror of it with the same addresses.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from infra_fixtures.pace import Timer, paced
from infra_fixtures.run_layout import EDGE_PORT

ANYWHERE = "0.0.0.0/0"
VPC_CIDR = "172.31.0.0/16"
"""The addresses of every default VPC (https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc-components.html)."""
POSTGRES = 5432
HTTPS = 443
EPHEMERAL = (1024, 65535)
"""Where answers arrive; a network ACL is stateless, so they need a rule of their own."""


class Subnet(msgspec.Struct, frozen=True):
    """A subnet of both regions; `zone` is the index of its availability zone."""

    name: str
    cidr: str
    zone: int
    public: bool


class Rule(msgspec.Struct, frozen=True):
    """One permission of a security group: `ports` None is everything, `peer` a CIDR or another group's name."""

    ports: tuple[int, int] | None
    peer: str


class SecurityGroup(msgspec.Struct, frozen=True):
    """A security group of both regions."""

    name: str
    description: str
    ingress: tuple[Rule, ...]
    egress: tuple[Rule, ...]


class AclEntry(msgspec.Struct, frozen=True):
    """One TCP entry of a network ACL; entries not here are denied."""

    number: int
    egress: bool
    ports: tuple[int, int]
    cidr: str


class NetworkAcl(msgspec.Struct, frozen=True):
    """The ACL of the public or of the private subnets."""

    name: str
    public: bool
    entries: tuple[AclEntry, ...]


class Route(msgspec.Struct, frozen=True):
    """A path of the API; `method` is an HTTP method, `key` whether it needs the API key."""

    path: str
    method: str
    key: bool


class Capacity(msgspec.Struct, frozen=True):
    """What a region can carry; all that the mirror may have less of.

    `provisioned_concurrency` 0 is none. It stays none in the primary because AWS refuses a reserved concurrency below
    what is provisioned, so a function with some cannot be throttled by reserving 0.
    """

    reserved_concurrency: int
    provisioned_concurrency: int
    scaling_min: int
    scaling_max: int
    memory_mb: int
    instance_class: str
    rate_limit: float
    burst_limit: int


class RegionPlan(msgspec.Struct, frozen=True):
    """One region; `certificate_arn` is that of its custom domain name where the edge is https."""

    name: str
    default_vpc: bool
    capacity: Capacity
    certificate_arn: str = ""


class HealthCheck(msgspec.Struct, frozen=True):
    """How Route 53 looks at a region: fast interval (10 s), three failures."""

    interval_s: Literal[10, 30] = 10
    failure_threshold: int = 3
    path: str = "/health/deep"


class Canary(msgspec.Struct, frozen=True):
    """How the standby looks at the primary, in real seconds; the rule and the alarm are in AWS's own units."""

    interval_s: float = 10.0
    duration_s: float = 55.0
    timeout_s: float = 1.0
    schedule: str = "rate(1 minute)"
    namespace: str = "DRDrill"
    metric: str = "PrimaryHealthy"
    alarm_period_s: Literal[10, 30, 60] = 10
    alarm_periods: int = 3


class Topology(msgspec.Struct, frozen=True):
    """The whole system; `edge_scheme` and `edge_port` are those that clients and health checks use."""

    primary: RegionPlan
    standby: RegionPlan
    edge_scheme: Literal["http", "https"] = "https"
    edge_port: int = HTTPS
    zone: str = "dr-drill.example."
    api_label: str = "api"
    stage: str = "live"
    vpc_cidr: str = VPC_CIDR
    subnets: tuple[Subnet, ...] = ()
    security_groups: tuple[SecurityGroup, ...] = ()
    network_acls: tuple[NetworkAcl, ...] = ()
    routes: tuple[Route, ...] = ()
    health_check: HealthCheck = HealthCheck()
    canary: Canary = Canary()
    engine: str = "aurora-postgresql"
    engine_version: str = "16.6"
    database: str = "orders"
    database_user: str = "drill"
    database_tls: Literal["off", "require"] = "require"
    runtime: str = "python3.11"
    function_timeout_s: int = 15
    controller_timeout_s: int = 300
    log_retention_days: int = 7
    cloudfront: bool = False

    @property
    def regions(self) -> tuple[RegionPlan, RegionPlan]:
        """Both plans, the primary's first."""
        return self.primary, self.standby

    @property
    def region_names(self) -> tuple[str, str]:
        """Both names, the primary's first."""
        return self.primary.name, self.standby.name

    @property
    def api_name(self) -> str:
        """The name that clients call, without a final dot."""
        return f"{self.api_label}.{self.zone.rstrip('.')}"

    def plan(self, region: str) -> RegionPlan:
        """A region's plan by its AWS name; KeyError where it is none of this topology's."""
        for plan in self.regions:
            if plan.name == region:
                return plan
        raise KeyError(region)

    def digest(self) -> str:
        """SHA-256 (hexadecimal) of the canonical JSON: two runs with the same digest ran on the same architecture."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


SUBNETS = (
    Subnet("public-a", "172.31.96.0/20", 0, public=True),
    Subnet("public-b", "172.31.112.0/20", 1, public=True),
    Subnet("private-a", "172.31.128.0/20", 0, public=False),
    Subnet("private-b", "172.31.144.0/20", 1, public=False),
)
"""Behind the addresses that a default VPC's own subnets take (172.31.0.0/20 to 172.31.80.0/20)."""

DATABASE_GROUP, FUNCTION_GROUP, ENDPOINT_GROUP = "database", "function", "endpoint"

SECURITY_GROUPS = (
    SecurityGroup(
        DATABASE_GROUP,
        "Aurora: PostgreSQL from the functions only",
        ingress=(Rule((POSTGRES, POSTGRES), FUNCTION_GROUP),),
        egress=(Rule(None, ANYWHERE),),
    ),
    SecurityGroup(
        FUNCTION_GROUP,
        "Functions: out to Aurora and to HTTPS",
        ingress=(),
        egress=(Rule((POSTGRES, POSTGRES), DATABASE_GROUP), Rule((HTTPS, HTTPS), ANYWHERE)),
    ),
    SecurityGroup(
        ENDPOINT_GROUP,
        "Service endpoints: HTTPS from the functions only",
        ingress=(Rule((HTTPS, HTTPS), FUNCTION_GROUP),),
        egress=(Rule(None, ANYWHERE),),
    ),
)

NETWORK_ACLS = (
    NetworkAcl(
        "public",
        public=True,
        entries=(
            AclEntry(100, False, (HTTPS, HTTPS), ANYWHERE),
            AclEntry(110, False, EPHEMERAL, ANYWHERE),
            AclEntry(100, True, (HTTPS, HTTPS), ANYWHERE),
            AclEntry(110, True, EPHEMERAL, ANYWHERE),
        ),
    ),
    NetworkAcl(
        "private",
        public=False,
        entries=(
            AclEntry(100, False, (POSTGRES, POSTGRES), VPC_CIDR),
            AclEntry(110, False, (HTTPS, HTTPS), VPC_CIDR),
            AclEntry(120, False, EPHEMERAL, ANYWHERE),
            AclEntry(100, True, (POSTGRES, POSTGRES), VPC_CIDR),
            AclEntry(110, True, (HTTPS, HTTPS), ANYWHERE),
            AclEntry(120, True, EPHEMERAL, VPC_CIDR),
        ),
    ),
)

ROUTES = (
    Route("/orders", "POST", key=True),
    Route("/orders/{key}", "GET", key=True),
    Route("/heartbeat", "POST", key=True),
    Route("/heartbeat", "GET", key=True),
    Route("/health", "GET", key=False),
    Route("/health/deep", "GET", key=False),
)

FULL = Capacity(
    reserved_concurrency=100,
    provisioned_concurrency=0,
    scaling_min=0,
    scaling_max=50,
    memory_mb=512,
    instance_class="db.r6g.xlarge",
    rate_limit=2000.0,
    burst_limit=4000,
)
SCALED_DOWN = msgspec.structs.replace(FULL, reserved_concurrency=10, scaling_max=5, instance_class="db.r6g.large")


def warm_standby(*, primary: RegionPlan, standby: RegionPlan) -> Topology:
    """The architecture on AWS, clients over https."""
    return Topology(
        primary=primary,
        standby=standby,
        subnets=SUBNETS,
        security_groups=SECURITY_GROUPS,
        network_acls=NETWORK_ACLS,
        routes=ROUTES,
    )


def embedded_topology(pace: float) -> Topology:
    """The same on this machine."""
    return on_one_machine(
        warm_standby(
            primary=RegionPlan("us-east-1", default_vpc=True, capacity=FULL),
            standby=RegionPlan("us-west-2", default_vpc=False, capacity=SCALED_DOWN),
        ),
        pace,
    )


def on_one_machine(topology: Topology, pace: float) -> Topology:
    """As an emulator carries it: plain http on the edge's port, PostgreSQL without TLS, concurrency for a few cores.

    Timers that stand in the AWS API keep AWS's values and are sped up by the data plane; the canary's own, which no
    AWS API knows, are paced here.
    """
    canary = topology.canary
    return msgspec.structs.replace(
        topology,
        primary=_with_concurrency(topology.primary, reserved=200, most=16),
        standby=_with_concurrency(topology.standby, reserved=50, most=4),
        edge_scheme="http",
        edge_port=EDGE_PORT,
        database_tls="off",
        canary=msgspec.structs.replace(
            canary,
            interval_s=paced(pace, Timer.CANARY_INTERVAL, canary.interval_s),
            duration_s=paced(pace, Timer.CANARY_DURATION, canary.duration_s),
        ),
    )


def _with_concurrency(plan: RegionPlan, *, reserved: int, most: int) -> RegionPlan:
    capacity = msgspec.structs.replace(plan.capacity, reserved_concurrency=reserved, scaling_max=most)
    return msgspec.structs.replace(plan, capacity=capacity)
