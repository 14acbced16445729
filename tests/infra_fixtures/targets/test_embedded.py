"""The embedded target leaves nothing behind, and says in one sentence why it cannot stand."""

from __future__ import annotations

import inspect
import random
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from drill.unusable import UnusableInput
from infra_fixtures.data_plane.aurora.binaries import BIN_VARIABLE
from infra_fixtures.link_rule import LinkRule
from infra_fixtures.pace import sentence
from infra_fixtures.powers import REPLICATION, LinkPower, ProcessPower, RegionPower, RolesPower
from infra_fixtures.run_layout import Address, RunLayout
from infra_fixtures.safety.journal import JOURNAL, Header, open_entries
from infra_fixtures.safety.lease import FIRST_OCTETS
from infra_fixtures.safety.sweep import processes_of
from infra_fixtures.safety.undo import RemoveLinkRule
from infra_fixtures.standing import standing
from infra_fixtures.targets import parts
from infra_fixtures.targets.embedded import outlook
from infra_fixtures.targets.embedded_world import Embedded
from infra_fixtures.targets.parts import ApiPart, NameServersPart
from infra_fixtures.targets.provisioned_parts import KINDS
from tests.infra_fixtures.targets.shared_memory import segments, segments_of

RUN_ID = "20260101T000000Z-standing"
POWERS = (LinkPower, ProcessPower, RegionPower, RolesPower)


@dataclass(slots=True)
class Traces:
    """What a run of RUN_ID on `network` has on this machine; `work_dir` is its directory, once known."""

    network: str
    work_dir: Path | None = None

    def pids(self) -> set[int]:
        """Its processes."""
        return {p.pid for p in processes_of(RUN_ID, *([self.work_dir] if self.work_dir else []))}

    def found(self) -> list[str]:
        """A sentence for each."""
        return [
            *(f"process {pid}" for pid in self.pids()),
            *(f"file {path}" for path in Path(tempfile.gettempdir()).glob(f"*{RUN_ID}*")),
            *(f"socket {c.laddr}" for c in psutil.net_connections("inet") if self._is_ours(c)),
            *(f"thread {t.name}" for t in threading.enumerate() if t.name == "change-feed" and t.is_alive()),
            *(f"lease {line}" for line in Path("/proc/net/unix").read_text().splitlines() if self._is_lease(line)),
            *(f"cgroup {path}" for path in Path("/sys/fs/cgroup").glob(f"**/*{RUN_ID}*")),
        ]

    def _is_ours(self, connection: Any) -> bool:
        listens = connection.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)
        return listens and str(getattr(connection.laddr, "ip", "")).startswith(f"{self.network}.")

    def _is_lease(self, line: str) -> bool:
        return line.endswith(f"@failover-drill/{self.network}")


@pytest.fixture
def network() -> Iterator[str]:
    """The loopback network that the next lease will take: it draws one at random, and is made to draw this one."""
    state = random.getstate()
    seed = random.randrange(2**32)
    random.seed(seed)
    drawn = f"127.{random.choice(FIRST_OCTETS)}.{random.randint(1, 254)}"
    random.seed(seed)
    yield drawn
    random.setstate(state)


class Struck(Exception):
    """Something went wrong while it stood."""


@pytest.mark.slow
def test_what_was_torn_down_is_gone(network: str, tmp_path: Path) -> None:
    """A scenario fails while a fault stands: everything that was there is gone, and the journal is closed."""
    traces, made = Traces(network), set[str]()

    def fail_while_it_stands() -> None:
        with standing("embedded", pace=10.0, runs_dir=tmp_path, run_id=RUN_ID) as world:
            assert isinstance(world, Embedded)
            assert world.layout.primary.edge.host.startswith(network)
            assert sentence(10.0) in world.not_proven
            foreseen = outlook(Header(RUN_ID, "embedded", 10.0))
            assert (foreseen.target, foreseen.primary, foreseen.standby) == (world.target, world.primary, world.standby)
            assert all(foreseen.has_power(power) and isinstance(world, power) for power in POWERS)
            kinds = [kind for name, kind in vars(parts).items() if name.endswith("Part") and inspect.isclass(kind)]
            assert {kind for kind in kinds if world.part(kind) is not None} == KINDS | {NameServersPart}
            assert world.part(ApiPart) is world.part(ApiPart), "its parts are made once"
            traces.work_dir = Path(world.layout.work_dir)
            there = traces.found()
            for kind in ("process", "file", "socket", "thread", "lease"):
                assert [t for t in there if t.startswith(kind)], kind
            made.update(segments_of(traces.pids()))
            assert len(made) == 2, "one of each PostgreSQL"
            world.journal.begin("replication_cut", [RemoveLinkRule("replication", "both", "replication_cut")])
            world.add_link_rule(REPLICATION, "replication_cut", LinkRule(cut=True))
            raise Struck

    with pytest.raises(Struck):
        fail_while_it_stands()
    assert traces.found() == []
    assert not made & segments(), "of PostgreSQL"
    assert open_entries(tmp_path / RUN_ID / JOURNAL) == []
    assert '"by":"teardown"' in (tmp_path / RUN_ID / JOURNAL).read_text()


def test_without_postgresql_it_does_not_stand(network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting leads nowhere: one sentence that names it, and nothing is left."""
    monkeypatch.setenv(BIN_VARIABLE, str(tmp_path))
    with (
        pytest.raises(UnusableInput, match=f"lacks PostgreSQL's postgres.*set {BIN_VARIABLE}") as said,
        standing("embedded", pace=10.0, runs_dir=tmp_path, run_id=RUN_ID),
    ):
        pytest.fail("it stands")
    assert "\n" not in str(said.value)
    assert Traces(network).found() == []


@pytest.mark.parametrize("part", ["internal", "edge of us-east-1", "node of us-west-2", "dns"])
def test_a_port_in_use_is_named(network: str, tmp_path: Path, part: str) -> None:
    """Somebody else listens where a part of it must: one sentence that names the address, at once, and nothing is left."""
    layout = RunLayout.plan(
        run_id="x", work_dir=tmp_path, pace=10.0, network=network, regions=("us-east-1", "us-west-2")
    )
    taken = layout.addresses[part]
    began_s = time.monotonic()
    with (
        socket.create_server((taken.host, taken.port)),
        pytest.raises(UnusableInput, match=f"{taken} .{part}. cannot be listened on .Address already in use") as said,
        standing("embedded", pace=10.0, runs_dir=tmp_path, run_id=RUN_ID),
    ):
        pytest.fail("it stands")
    assert time.monotonic() - began_s < 5
    assert "\n" not in str(said.value)
    assert Traces(network).found() == []


def test_every_part_has_an_address_of_its_own(tmp_path: Path) -> None:
    """No two parts share one, and each address of the plan is among those that are looked at."""
    layout = RunLayout.plan(
        run_id="x", work_dir=tmp_path, pace=10.0, network="127.1.1", regions=("us-east-1", "us-west-2")
    )
    planned = [v for part in (layout, *layout.regions) for v in msgspec.structs.asdict(part).values()]
    addresses = [v for v in planned if isinstance(v, Address)]
    assert sorted(map(str, layout.addresses.values())) == sorted(map(str, addresses))
    assert len({str(a) for a in addresses}) == len(addresses)
