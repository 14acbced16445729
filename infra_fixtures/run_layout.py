"""Where everything of one embedded run listens and lives: the addresses that its processes agree on.

A run owns one /24 of the loopback range (127.a.b.0/24, held by an abstract Unix socket), so two runs never meet. Names
that AWS would resolve (API endpoints, clusters) lead to these addresses.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from drill import host_environment
from infra_fixtures.access.credentials import Credentials


class Address(msgspec.Struct, frozen=True):
    """A TCP (for DNS also UDP) endpoint on loopback."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The endpoint as an http URL."""
        return f"http://{self.host}:{self.port}"


class RegionLayout(msgspec.Struct, frozen=True):
    """The endpoints of one region.

    aws: the region's AWS API (front). edge: where clients reach its regional API endpoint (a link before `gateway`).
    gateway: the API Gateway server itself. writer, reader: the Aurora cluster's endpoints inside the VPC (links before
    `node`). node: PostgreSQL itself. upstream: this region's end of the inter-region replication link: what its
    PostgreSQL dials to reach the other region's node. egress: the link through which functions reach AWS APIs.
    lambda_api: the Lambda service's Invoke API. runtime_host: where the Runtime APIs of its workers listen, on ports
    that the system chooses.
    """

    name: str
    aws: Address
    edge: Address
    gateway: Address
    writer: Address
    reader: Address
    node: Address
    upstream: Address
    egress: Address
    lambda_api: Address
    runtime_host: str


class Emulator(msgspec.Struct, frozen=True):
    """Another emulator of the AWS API that stands behind the front beside moto, and what it answers for.

    `regions` are those whose calls it answers; `global_services.GLOBAL` among them: those of services without one. `argv`
    and `environment` are how the control plane starts it; without them somebody else runs it, and it is only used.
    `lost_with` is the region whose loss freezes it. `health` is a path that answers 200 once it serves.
    """

    name: str
    url: str
    regions: tuple[str, ...]
    health: str
    argv: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    log: str = ""
    lost_with: str = ""


class RunLayout(msgspec.Struct, frozen=True):
    """One embedded run: `regions` primary first; every process of the run is given this as a JSON file."""

    run_id: str
    work_dir: str
    pace: float
    regions: tuple[RegionLayout, RegionLayout]
    global_aws: Address
    """AWS APIs that belong to no region: Route 53, IAM, CloudFront."""
    internal: Address
    """The whole AWS API for reconcilers: never gated by a region's loss; also the admin API and the change stream."""
    dns: Address
    """Route 53's name server, UDP and TCP; it also answers the names AWS gives its endpoints."""
    global_process: Address
    """Control API of the process that spans regions (supervisor, inter-region links, Aurora manager)."""
    credentials: Credentials
    """Who may use the run's doors: nothing of it goes into a record."""
    account_id: str = "123456789012"
    pg_bin: str = ""
    """Directory of PostgreSQL's binaries, readable by `pg_uid`; empty where none is to run."""
    pg_uid: int | None = None
    """The unprivileged user PostgreSQL runs as where the harness is root; None: as the harness itself."""
    worker_uid: int | None = None
    """The unprivileged user that functions run as where the harness is root; None: as the harness itself. Its group, of the
    same number, may enter the work directory."""
    emulators: tuple[Emulator, ...] = ()
    """Who answers API calls instead of moto; none: moto answers everything."""
    moto_services: frozenset[str] = frozenset()
    """The services (botocore's names) that moto answers although there are other emulators."""

    def emulator_for(self, service: str, region: str) -> Emulator | None:
        """Who answers a service's calls in a region (`global_services.GLOBAL`: a service that has none); None is moto."""
        if not self.emulators or service in self.moto_services:
            return None
        return next((e for e in self.emulators if region in e.regions), None)

    @property
    def primary(self) -> RegionLayout:
        """The region that serves in normal operation."""
        return self.regions[0]

    @property
    def standby(self) -> RegionLayout:
        """The scaled-down mirror."""
        return self.regions[1]

    @property
    def addresses(self) -> dict[str, Address]:
        """Every fixed address that a process of the run listens on, by what listens there."""
        own = ("global_aws", "internal", "dns", "global_process")
        inside = ("aws", "edge", "gateway", "writer", "reader", "node", "upstream", "egress", "lambda_api")
        return {
            **{name: getattr(self, name) for name in own},
            **{f"{name} of {r.name}": getattr(r, name) for r in self.regions for name in inside},
        }

    def region(self, name: str) -> RegionLayout:
        """The layout of a region by its AWS name; KeyError where it is none of this run's."""
        for r in self.regions:
            if r.name == name:
                return r
        raise KeyError(name)

    @property
    def path(self) -> Path:
        """Where this layout's own JSON lies."""
        return Path(self.work_dir) / "layout.json"

    def save(self) -> None:
        """Write the layout where its processes look for it; nobody but their user can read it."""
        self.path.unlink(missing_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(self))

    @classmethod
    def load(cls, path: Path) -> RunLayout:
        """Read a layout that `save` wrote."""
        return msgspec.json.decode(path.read_bytes(), type=cls)

    @classmethod
    def plan(
        cls,
        *,
        run_id: str,
        work_dir: Path,
        pace: float,
        network: str,
        regions: tuple[str, str],
        pg_bin: str = "",
        pg_uid: int | None = None,
        worker_uid: int | None = None,
    ) -> RunLayout:
        """Lay a run out on `network`, the first three octets of its loopback /24 (such as "127.80.3")."""

        def region(name: str, base: int) -> RegionLayout:
            def at(offset: int, port: int) -> Address:
                return Address(f"{network}.{base + offset}", port)

            return RegionLayout(
                name=name,
                aws=at(1, AWS_PORT),
                edge=at(2, EDGE_PORT),
                gateway=at(3, EDGE_PORT),
                writer=at(4, POSTGRES_PORT),
                reader=at(5, POSTGRES_PORT),
                node=at(6, POSTGRES_PORT),
                upstream=at(7, POSTGRES_PORT),
                egress=at(8, AWS_PORT),
                lambda_api=at(9, AWS_PORT),
                runtime_host=f"{network}.{base + 10}",
            )

        return cls(
            run_id=run_id,
            work_dir=str(work_dir),
            pace=pace,
            regions=(region(regions[0], 20), region(regions[1], 40)),
            global_aws=Address(f"{network}.2", AWS_PORT),
            internal=Address(f"{network}.3", AWS_PORT),
            dns=Address(f"{network}.5", DNS_PORT),
            global_process=Address(f"{network}.6", AWS_PORT),
            credentials=Credentials.fresh(),
            pg_bin=pg_bin,
            pg_uid=pg_uid,
            worker_uid=worker_uid,
        )


AWS_PORT = 14566
EDGE_PORT = 18080
POSTGRES_PORT = 5432
DNS_PORT = 10053

PRIVATE = 0o077
"""The umask of a run's processes: their files are for nobody else to read."""

REPOSITORY = Path(__file__).resolve().parent.parent
"""Where the packages of this project lie: the run's processes import them whatever their working directory."""

RUN_ID_VARIABLE = "DRILL_RUN_ID"
"""Every process of a run carries its run id in this environment variable, so that the watchdog finds them all."""


def child_environment(layout: RunLayout, **more: str) -> dict[str, str]:
    """The environment for the run's processes: what Python needs, the run id, and nothing else of the host's."""
    own = {
        "PYTHONPATH": str(REPOSITORY),
        # Nothing of a run speaks TLS to the world, but aiohttp reads the machine's trust store whenever it is imported: 50 ms.
        "SSL_CERT_FILE": os.devnull,
        RUN_ID_VARIABLE: layout.run_id,
    }
    return host_environment.child_environment(os.environ, **{**own, **more})
