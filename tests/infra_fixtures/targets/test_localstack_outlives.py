"""A LocalStack that somebody else runs outlives the harness: whoever heals puts it back field by field.

What is compared, and what counts as gone, is told in aws_state.py. Skipped where LocalStack has not been installed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drill.wait import wait_until
from infra_fixtures.faults.fault import injected
from infra_fixtures.faults.security_group_revoked import SecurityGroupRevoked
from infra_fixtures.faults.subnets_isolated import SubnetsIsolated
from infra_fixtures.orphan_runs import heal_orphan
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.safety.heal import undo_all
from infra_fixtures.safety.journal import Journal, has_ended, header, open_entries
from infra_fixtures.safety.lease import work_dirs
from infra_fixtures.safety.sweep import processes_of
from infra_fixtures.standing import standing
from infra_fixtures.targets import orphan_of
from infra_fixtures.targets.localstack.installation import ENVIRONMENT
from tests.infra_fixtures.targets.aws_state import differences
from tests.infra_fixtures.targets.given_localstack import Given, Harness, given, harness

FAULTS = (SecurityGroupRevoked(), SubnetsIsolated())
WATCHDOG_LIMIT_S = 30.0
MADE_FIELDS = 300
"""A topology is at least so many fields of the state: a look that saw nothing would find no difference either."""

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not (ENVIRONMENT / "bin" / "python").exists(), reason=f"{ENVIRONMENT.name} has not been made"),
]


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    """One LocalStack for all, which outlives every test here."""
    with given(tmp_path_factory.mktemp("localstack"), ("all",)) as found:
        yield found


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    """Where the runs of a test are recorded."""
    return tmp_path / "runs"


def test_each_fault_bites_there_and_is_healed(there: Given, runs_dir: Path) -> None:
    """LocalStack's own words: what each fault changes, and nothing is changed once it is healed; a second game day is
    refused while the first lives, in one sentence that leaves nothing behind."""
    before = there.state()
    with standing(
        "localstack", pace=10.0, runs_dir=runs_dir, options={"localstack_endpoint": there.endpoints}
    ) as world:
        stood = there.state()
        for fault, changed in ((FAULTS[0], "IpPermissions"), (FAULTS[1], "Associations")):
            with injected(world, fault):
                bitten = differences(stood, there.state())
                assert any(changed in one for one in bitten), bitten
            assert differences(stood, there.state()) == []
        second = _command(
            "infra_fixtures", "up", "--target", "localstack", *_endpoints(there), "--runs-dir", str(runs_dir / "b")
        )
        assert second.returncode == 2
        assert second.stderr.startswith(f"error: the target localstack is held by {world.run_id} of "), second.stderr
        assert second.stderr.count("\n") == 1
        assert differences(stood, there.state()) == []
        assert _command("infra_fixtures", "heal", "--runs-dir", str(runs_dir / "b")).stdout.startswith(
            "nothing to heal"
        )
    assert differences(before, there.state()) == []
    with harness(runs_dir, there) as another:
        another.finish()
    assert differences(before, there.state()) == []


def test_undo_comes_before_removal(there: Given, runs_dir: Path) -> None:
    """Harness and watchdog killed: undo by another process gives back what was before the faults, removal the rest."""
    before = there.state()
    with harness(runs_dir, there) as killed:
        stood = there.state()
        assert len(differences(before, stood)) > MADE_FIELDS
        _break(killed)
        assert differences(stood, there.state())
        killed.kill(with_watchdog=True)
    told = header(killed.journal)
    assert told is not None
    journal, orphan = Journal(killed.journal.parent), orphan_of(told)
    began_s = time.monotonic()
    assert orphan.end_processes() > 0
    with orphan.taken_over():
        healed = undo_all(orphan, journal, "test")
        undone_s = time.monotonic() - began_s
        assert [e.fault for e in healed] == [fault.name for fault in reversed(FAULTS)]
        assert differences(stood, there.state()) == []
        orphan.remove()
    journal.close()
    assert differences(before, there.state()) == []
    assert not has_ended(killed.journal)
    assert heal_orphan(killed.journal, "test") == f"{killed.run_id}: ended 0 processes", "once more is no error"
    assert undone_s < WATCHDOG_LIMIT_S


@pytest.mark.parametrize("places", [("all",), ("us-east-1", "us-west-2", "global")], ids=len)
def test_heal_puts_everything_back(
    places: tuple[str, ...], runs_dir: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Harness and watchdog killed: the next start is refused by name; `heal` is refused while LocalStack does not answer and
    leaves the journal open, and once it answers again the state is as before, field by field."""
    if places == ("all",):
        _refused_then_healed(request.getfixturevalue("there"), runs_dir)
        return
    with given(tmp_path, places) as several:
        _refused_then_healed(several, runs_dir)


def test_the_watchdog_puts_everything_back(there: Given, runs_dir: Path) -> None:
    """The harness alone killed: the rest is done without anybody, and another game day may begin at once."""
    before = there.state()
    with harness(runs_dir, there) as killed:
        _break(killed)
        killed.kill(with_watchdog=False)
        wait_until(lambda: has_ended(killed.journal), what="the watchdog to heal", timeout_s=WATCHDOG_LIMIT_S)
    assert differences(before, there.state()) == []
    _nothing_here(killed)
    with harness(runs_dir, there) as another:
        another.finish()
    assert differences(before, there.state()) == []


def _refused_then_healed(there: Given, runs_dir: Path) -> None:
    before = there.state()
    with harness(runs_dir, there) as killed:
        _break(killed)
        killed.kill(with_watchdog=True)
    refused = _command("pytest", "scenarios", "--collect-only", "--runs-dir", str(runs_dir))
    assert refused.returncode == pytest.ExitCode.USAGE_ERROR
    assert f"the run {killed.run_id} died" in refused.stdout + refused.stderr
    with there.stopped():
        unanswered = _command("infra_fixtures", "heal", "--runs-dir", str(runs_dir))
    assert (unanswered.returncode, unanswered.stdout) == (1, ""), unanswered
    assert unanswered.stderr.startswith(f"error: {killed.run_id}: no LocalStack answers at http://127.0.0.1:")
    assert unanswered.stderr.count("\n") == 1
    assert len(open_entries(killed.journal)) == len(FAULTS)
    _nothing_here(killed)
    healed = _command("infra_fixtures", "heal", "--runs-dir", str(runs_dir))
    assert healed.returncode == 0, healed
    names = ", ".join(fault.name for fault in reversed(FAULTS))
    assert healed.stdout == f"{killed.run_id}: ended 0 processes, healed {names}\n"
    assert has_ended(killed.journal)
    assert differences(before, there.state()) == []


def _break(one: Harness) -> None:
    """Both faults, one upon the other."""
    for fault in FAULTS:
        one.inject(fault.name)
    assert len(open_entries(one.journal)) == len(FAULTS)


def _nothing_here(one: Harness) -> None:
    """Nothing of the run is on this machine."""
    assert processes_of(one.run_id) == []
    assert work_dirs(one.run_id) == []


def _endpoints(there: Given) -> list[str]:
    return [word for endpoint in there.endpoints for word in ("--localstack-endpoint", endpoint)]


def _command(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
