"""`python -m infra_fixtures`: hold a topology up, show it, bring it down; clean up after one whose holder was killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from drill.wait import wait_until
from infra_fixtures.__main__ import main
from infra_fixtures.data_plane.aurora.binaries import locate
from infra_fixtures.run_layout import REPOSITORY, RUN_ID_VARIABLE
from infra_fixtures.safety.journal import JOURNAL, Header, Journal
from infra_fixtures.safety.lease import WORK_PREFIX
from infra_fixtures.safety.sweep import processes_of


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A topology held up by another process, whose runs directory is `tmp_path`."""
    with (tmp_path / "said.txt").open("w") as said:
        holder = subprocess.Popen(
            [sys.executable, "-m", "infra_fixtures", "up", "--runs-dir", str(tmp_path)],
            cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    try:

        def stands() -> bool:
            assert holder.poll() is None, (tmp_path / "said.txt").read_text()
            return "brings it down" in (tmp_path / "said.txt").read_text()

        wait_until(stands, what="the topology to stand", timeout_s=60)
        yield holder
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()


@pytest.mark.slow
def test_a_topology_is_held_shown_and_brought_down(
    running: subprocess.Popen[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`status` shows what `up` printed, and no key; `down` ends the holder with status 0; then nothing is held."""
    runs = ["--runs-dir", str(tmp_path)]
    printed = (tmp_path / "said.txt").read_text()
    assert main(["status", *runs]) == 0
    shown = capsys.readouterr().out
    assert shown.strip() in printed
    assert "Route 53 name server" in shown
    assert not re.search(r"\b[A-Za-z0-9]{30,}\b", shown), "an API key is a secret"
    run_id = shown.split()[0]
    assert processes_of(run_id)
    _every_line_works(printed)
    secret_files = _no_secret_is_printed(printed)
    assert (tmp_path / f"{run_id}.held.json").stat().st_mode & 0o077 == 0
    assert main(["down", *runs]) == 0
    assert capsys.readouterr().out == f"{run_id} is down\n"
    assert running.wait(timeout=5) == 0
    assert processes_of(run_id) == []
    assert not any(path.exists() for path in secret_files)
    assert main(["status", *runs]) == 0
    assert capsys.readouterr().out == "nothing is held up\n"
    assert main(["heal", *runs]) == 0
    assert capsys.readouterr().out.startswith("nothing to heal")


def _every_line_works(printed: str) -> None:
    """What `up` says to paste does what its title says."""
    pg_bin, _ = locate(Path("/nowhere"))
    path = f"{os.environ['PATH']}:{pg_bin}"
    titles = []
    for title, line in re.findall(r"^# (.*)\n(.*)$", printed, re.MULTILINE):
        titles.append(title)
        if " aws " in line and not _runs("aws"):
            line = line.replace(" aws ", f" {sys.executable} {Path(__file__).with_name('aws_line.py')} ")
        done = subprocess.run(
            line, shell=True, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{title}: {done.stdout} {done.stderr}"
        wanted = {"store": "stored", "read": "amount", "the AWS": "FunctionName", "the data": "count"}
        assert next(word for start, word in wanted.items() if title.startswith(start)) in done.stdout
    assert len(titles) == 6, titles


def _no_secret_is_printed(printed: str) -> list[Path]:
    """What the lines say is seen in `ps`: none of what their files hold is there. The files, which are closed to others."""
    files = sorted({Path(path) for path in re.findall(rf"{tempfile.gettempdir()}/[^ ']+", printed)})
    assert [path.name for path in files] == ["credentials", "headers", "pgpass"]
    for path in files:
        assert path.stat().st_mode & 0o077 == 0
        assert path.parent.stat().st_mode & 0o077 == 0
    secrets = [re.split("[:=] ?", line)[-1] for path in files for line in path.read_text().splitlines()[-1:]]
    assert len(secrets) == 3
    for secret in secrets:
        assert len(secret) >= 8
        assert secret not in printed
    return files


def _runs(program: str) -> bool:
    try:
        return subprocess.run([program, "--version"], capture_output=True, timeout=30, check=False).returncode == 0
    except OSError:
        return False


def test_down_and_heal_of_nothing_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 0 each, and a sentence."""
    for command, sentence in (
        ("down", "nothing is held up"),
        ("heal", "nothing to heal"),
        ("status", "nothing is held"),
    ):
        assert main([command, "--runs-dir", str(tmp_path)]) == 0
        assert capsys.readouterr().out.startswith(sentence)


def test_a_dead_run_whose_journal_is_elsewhere_is_told_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its records were removed, or lie under another --runs-dir: heal names what it left, and removes nothing of it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run_id = "20260101T000000Z-1057ab"
    work_dir = tmp_path / f"{WORK_PREFIX}{run_id}-abcd1234"
    work_dir.mkdir()
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env={RUN_ID_VARIABLE: run_id})
    try:
        wait_until(lambda: processes_of(run_id), what="the orphan", timeout_s=5)
        assert main(["heal", "--runs-dir", str(tmp_path / "runs")]) == 0
        said = capsys.readouterr()
        assert f"note: the dead run {run_id} left {work_dir} and 1 processes, and no journal of it is here" in said.err
        assert "nothing to heal" in said.out
        assert work_dir.is_dir()
        assert orphan.poll() is None
    finally:
        orphan.kill()
        orphan.wait()


def test_names_of_runs_steer_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run's directory, its journal and its header are named by anybody: what heal says of them is plain lines."""
    evil = "run\x1b[2J\nall is healed\x9b31m"
    journal = Journal(tmp_path / evil)
    journal.stands_up(Header(evil, "mars\x1b]0;pwned\x07", 10.0, {}, tempfile.gettempdir()))
    journal.close()
    damaged = tmp_path / "two\x1b[1m\rx"
    damaged.mkdir()
    (damaged / JOURNAL).write_text('{"type": "\\u001b[7m"}\n')
    assert main(["heal", "--runs-dir", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert r"run\x1b[2J\nall is healed\x9b31m" in said.err
    assert all(line.isprintable() for line in (said.out + said.err).splitlines())
    assert "all is healed" not in (said.out + said.err).splitlines()


def test_what_a_dead_run_left_is_removed_by_heal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Harness and watchdog are dead, a process of the run lives on and its work directory lies there: both go."""
    run_id = f"orphan-{os.getpid()}"
    journal = Journal(tmp_path / run_id)
    journal.stands_up(Header(run_id, "embedded", 10.0, {}, tempfile.gettempdir()))
    journal.close()
    work_dir = Path(tempfile.mkdtemp(prefix=f"{WORK_PREFIX}{run_id}-"))
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env={RUN_ID_VARIABLE: run_id})
    wait_until(lambda: processes_of(run_id), what="the orphan", timeout_s=5)
    assert main(["heal", "--runs-dir", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{run_id}: ended 1 processes\n"
    assert orphan.poll() is not None
    assert not work_dir.exists()
