"""Everything the machine lacks is told before anything is stood up, each in one line that says how to mend it."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from drill.unusable import UnusableInput
from infra_fixtures import needs
from infra_fixtures.data_plane.aurora.binaries import BIN_VARIABLE
from infra_fixtures.run_layout import REPOSITORY


def test_a_machine_that_runs_these_tests_has_all_that_is_needed(tmp_path: Path) -> None:
    """Nothing is raised, and the soft limit of open files is the hard one or as high as is ever wanted."""
    needs.require_needs(tmp_path / "runs" / "of today")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == hard or soft >= needs.MOST_DESCRIPTORS
    assert not (tmp_path / "runs").exists(), "to look is not to make"


def test_all_that_is_missing_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line each: this one's disk, its PostgreSQL, and what the layer above needs."""
    monkeypatch.setattr(needs, "RECORDS_BYTES", 2**60)
    monkeypatch.setenv(BIN_VARIABLE, str(tmp_path))

    def of_above() -> None:
        raise UnusableInput("the signing key\nis not readable: chmod it")

    with pytest.raises(UnusableInput) as raised:
        needs.require_needs(tmp_path, of_above)
    disk, postgresql, above = str(raised.value).splitlines()
    assert disk.startswith(f"{tmp_path} has ")
    assert disk.endswith("are needed: give another --runs-dir or make room")
    assert "lacks PostgreSQL's postgres" in postgresql
    assert above == "the signing key is not readable: chmod it"


@pytest.mark.parametrize(
    ("need", "sentence"),
    [
        (partial(needs.need_descriptors, 2**40), "files may be open at once, and 1099511627776 are needed"),
        (partial(needs.need_memory, 2**60), "of memory are free, and 1,099,511,627,776 MiB are needed"),
        (partial(needs.need_loopback, "192.0.2.1"), "192.0.2.1 cannot be listened on"),
    ],
)
def test_what_is_missing_is_named(need: needs.Need, sentence: str) -> None:
    """Too few descriptors, too little memory, an address that is not this machine's."""
    with pytest.raises(UnusableInput, match=sentence):
        need()


def test_a_directory_that_postgresqls_user_cannot_reach_is_named(tmp_path: Path) -> None:
    """The directory on the way that keeps it out is the one to chmod; what is open to all is reached."""
    closed = tmp_path / "closed"
    inner = closed / "inner"
    inner.mkdir(parents=True)
    closed.chmod(0o700)
    somebody = os.getuid() + 4242
    with pytest.raises(UnusableInput, match=rf"cannot reach {inner}: chmod o\+x {closed}"):
        needs.need_reach(inner, somebody)
    needs.need_reach(Path("/usr/bin"), somebody)


def test_a_low_limit_of_open_files_is_raised_or_named() -> None:
    """In a process of its own: a soft limit of 64 is left by the look and then raised, a hard limit of 64 is refused."""
    program = (
        "import resource, sys; from infra_fixtures.needs import need_descriptors, raise_descriptor_limit\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard if sys.argv[1] == 'soft' else 64))\n"
        "need_descriptors(); print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "raise_descriptor_limit(); print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    run = partial(subprocess.run, cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False)
    looked, raised = map(int, run([sys.executable, "-c", program, "soft"]).stdout.split())
    assert looked == 64
    assert raised > 64
    refused = run([sys.executable, "-c", program, "hard"])
    assert "only 64 files may be open at once, and 1024 are needed: raise it (ulimit -Hn 1024)" in refused.stderr
