"""What a run leases on this machine is its own, and whoever is in the way is named."""

from __future__ import annotations

import os
import random
import socket
import tempfile
from pathlib import Path

import pytest

from drill.unusable import UnusableInput
from infra_fixtures.safety import lease as leases
from infra_fixtures.safety.lease import dead_runs, lease, work_dirs

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root leases a user")
NOBODY = 65534


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Root's own directory of this test alone."""
    monkeypatch.setattr(leases, "DIRECTORY", tmp_path / "turns")
    return tmp_path / f"turns-{os.geteuid()}"


@needs_root
def test_a_leased_user_is_held_by_a_file_of_roots_own(place: Path) -> None:
    """Nobody else can get in there; afterwards the file is gone."""
    with lease("one") as one, lease("two") as two:
        assert one.worker_uid != two.worker_uid
        assert {p.name for p in place.iterdir()} == {f"uid-{one.worker_uid}", f"uid-{two.worker_uid}"}
        assert (place.stat().st_mode & 0o777, place.stat().st_uid) == (0o700, 0)
    assert list(place.iterdir()) == []


@needs_root
def test_a_user_is_leased_once_whatever_the_network_namespace(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a single number left the second is refused, and leaves nothing."""
    monkeypatch.setattr(leases, "TRANSIENT_IDS", [65_001])
    with lease("one") as one:
        assert one.worker_uid == 65_001
        with pytest.raises(UnusableInput, match="no unused user id is left"), lease("two"):
            pytest.fail("it is leased twice")
        assert work_dirs("two") == []
    with lease("three") as three:
        assert three.worker_uid == 65_001


@needs_root
def test_a_place_that_another_user_took_is_refused_in_a_sentence(place: Path) -> None:
    """And nothing is left."""
    place.mkdir()
    os.chown(place, NOBODY, NOBODY)
    with pytest.raises(UnusableInput, match="was made by user nobody"), lease("one"):
        pytest.fail("it is leased")
    assert work_dirs("one") == []


def test_who_listens_everywhere_on_the_name_servers_port_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then no network is free, and other runs are not to blame."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as everywhere:
        everywhere.bind(("0.0.0.0", 0))
        port = everywhere.getsockname()[1]
        monkeypatch.setattr(leases, "DNS_PORT", port)
        with pytest.raises(UnusableInput, match=rf"stop what listens on UDP port {port}, of user "), lease("one"):
            pytest.fail("it is leased")


def test_who_holds_every_network_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to look for."""
    monkeypatch.setattr(leases, "FIRST_OCTETS", [99])
    monkeypatch.setattr(random, "randint", lambda _least, _most: 253)
    with (
        lease("one"),
        pytest.raises(UnusableInput, match=r"whoever holds [1-9]\d* sockets named @failover-drill/"),
        lease("two"),
    ):
        pytest.fail("it is leased twice")


def test_a_dead_run_is_known_by_the_directory_that_nobody_holds(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that lives is none, nor what no harness has leased; what a dead one's parts kept is told with it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead, alive, other = "20260101T000000Z-dead00", "20260101T000000Z-a11fe0", "20260101T000000Z-07e400"
    left = [tmp_path / f"failover-drill-{dead}-x1_y2z3", tmp_path / f"failover-drill-{dead}-use-abcd1234"]
    for path in (*left, tmp_path / f"failover-drill-{other}-traffic-abcd1234", tmp_path / "failover-drill-turns"):
        path.mkdir()
    (tmp_path / f"failover-drill-{other}-linked").symlink_to(left[0])
    with lease(alive):
        assert dead_runs() == {dead: sorted(left)}
