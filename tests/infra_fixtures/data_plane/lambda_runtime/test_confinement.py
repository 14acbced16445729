"""What a worker may not: more memory than its function has, anything but its own directory, what it was before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra_fixtures.data_plane.lambda_runtime import confinement
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.conftest import AwsClient
from tests.infra_fixtures.data_plane.deploying import deploy
from tests.infra_fixtures.data_plane.lambda_runtime.harness import ask, reconciling, run

HUNGRY = """
def handler(event, context):
    return len(bytearray(event["mb"] << 20))
"""
NOSY = """
import os, resource
def handler(event, context):
    def can(what, *args, **kwargs):
        try:
            what(*args, **kwargs)
            return True
        except OSError:
            return False
    place = os.path.dirname(__file__)
    return {
        "uid": os.getuid(), "groups": os.getgroups(),
        "write code": can(open, os.path.join(place, "new.py"), "w"),
        "read the layout": can(open, event["layout"]),
        "list the run": can(os.listdir, os.path.dirname(event["layout"])),
        "write scratch": can(open, os.path.join(os.environ["TMPDIR"], "x"), "w"),
        "become root": can(os.setuid, 0),
        "signal its maker": can(os.kill, os.getppid(), 0),
        "core": resource.getrlimit(resource.RLIMIT_CORE)[1],
        "lazily": __import__("wave").__name__,
    }
"""


def test_a_function_that_wants_more_than_its_memory_is_killed_and_the_next_is_served(
    control_plane: RunLayout, aws_client: AwsClient
) -> None:
    """Within MemorySize it gets it; beyond, Runtime.OutOfMemory with signal: killed, and a new worker afterwards."""
    deploy(aws_client, "hungry", HUNGRY, MemorySize=128, Timeout=20)

    async def scenario() -> None:
        async with reconciling(control_plane, settled=lambda s: s.find("hungry") is None) as service:
            _, enough = await ask(service, "hungry", mb=100)
            assert enough == 100 << 20
            result, error = await ask(service, "hungry", mb=400)
            assert result.function_error == "Unhandled"
            assert error["errorType"] == "Runtime.OutOfMemory"
            assert error["errorMessage"].endswith("Error: Runtime exited with error: signal: killed")
            assert b"Status: error\tError Type: Runtime.OutOfMemory" in result.log_tail
            _, again = await ask(service, "hungry", mb=100)
            assert again == 100 << 20

    run(scenario())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run functions as another user")
def test_a_function_is_its_own_user_and_reaches_nothing_of_the_run(
    control_plane: RunLayout, aws_client: AwsClient
) -> None:
    """It writes to its scratch alone, reads no secret, signals nobody, and still imports what it had not yet."""
    deploy(aws_client, "nosy", NOSY)

    async def scenario() -> None:
        async with reconciling(control_plane, settled=lambda s: s.find("nosy") is None) as service:
            _, said = await ask(service, "nosy", layout=str(control_plane.path))
        assert said == {
            "uid": control_plane.worker_uid, "groups": [], "write code": False, "read the layout": False,
            "list the run": False, "write scratch": True, "become root": False, "signal its maker": False, "core": 0,
            "lazily": "wave",
        }  # fmt: skip

    run(scenario())


IN_A_CLOSED_HOME = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import confinement, early
own = confinement.bring_within_reach(int(sys.argv[3]), Path(sys.argv[2]))
sys.path.insert(0, str(own))
confinement.confine(int(sys.argv[3]), 1 << 30)
import early.late, linked, module
print(early.late.WHO, linked.WHO, module.WHO, own.name != "runtime")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_packages_under_a_closed_home_are_still_imported(tmp_path: Path, control_plane: RunLayout) -> None:
    """A path entry, a half imported package, a linked package and a linked module, all below a directory of mode 700."""
    assert tmp_path.parent.parent.stat().st_mode & 0o077 == 0, "pytest's own directory is a closed one"
    uid = control_plane.worker_uid
    home, runtime = tmp_path / "lib", Path(control_plane.work_dir) / "closed" / "runtime"
    home.mkdir(mode=0o755)
    (home / "early").mkdir()
    (home / "early" / "__init__.py").touch()
    (home / "early" / "late.py").write_text("WHO = 'late'")
    (home / "packages" / "linked").mkdir(parents=True)
    (home / "packages" / "linked" / "__init__.py").write_text("WHO = 'linked'")
    (home / "packages" / "module.py").write_text("WHO = 'module'")
    (home / "confinement.py").write_text(Path(confinement.__file__).read_text())
    runtime.mkdir(parents=True)
    runtime.parent.chmod(0o755)
    for name in ("linked", "module.py"):
        (runtime / name).symlink_to(home / "packages" / name)
    said = subprocess.run(
        [sys.executable, "-I", "-S", "-c", IN_A_CLOSED_HOME, str(home), str(runtime), str(uid)],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert said.stdout == "late linked module True\n", said.stderr
