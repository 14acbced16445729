"""A LocalStack that was given and does not answer: one sentence, and nothing is noted as done that was not."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from drill.wait import wait_until
from infra_fixtures.__main__ import main
from infra_fixtures.run_layout import RUN_ID_VARIABLE
from infra_fixtures.safety.journal import Header, Journal, has_ended, open_entries
from infra_fixtures.safety.sweep import processes_of
from infra_fixtures.safety.undo import AwsCall
from infra_fixtures.targets.localstack.options import URLS_VARIABLE

NOBODY = "all=http://127.0.0.1:9"
"""The discard port, which refuses."""


def test_a_start_where_nobody_answers_leaves_no_open_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused before anything is made, so that the next start is not refused for its sake."""
    runs = ["--runs-dir", str(tmp_path)]
    assert main(["up", "--target", "localstack", "--localstack-endpoint", NOBODY, *runs]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: no LocalStack answers at http://127.0.0.1:9 (")
    assert said.count("\n") == 1
    assert main(["heal", *runs]) == 0
    assert capsys.readouterr().out.startswith("nothing to heal")


def test_healing_where_nobody_answers_ends_what_is_here_and_notes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run's processes are ended; the fault stays open, status 1, one sentence that says what to do. What the environment
    of whoever heals says of LocalStacks changes nothing."""
    monkeypatch.delenv(URLS_VARIABLE, raising=False)
    run_id = f"unreachable-{os.getpid()}"
    journal = Journal(tmp_path / run_id)
    journal.stands_up(Header(run_id, "localstack", 10.0, {"localstack_endpoint": [NOBODY]}, tempfile.gettempdir()))
    journal.begin("subnets_isolated", [AwsCall("ec2", "us-east-1", "describe_vpcs")])
    journal.close()
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env={RUN_ID_VARIABLE: run_id})
    wait_until(lambda: processes_of(run_id), what="the process that is left", timeout_s=5)
    assert main(["heal", "--runs-dir", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"error: {run_id}: no LocalStack answers at http://127.0.0.1:9 (")
    assert "let it answer and heal again" in said.err
    assert said.err.count("\n") == 1
    assert left.poll() is not None
    assert processes_of(run_id) == []
    assert [e.fault for e in open_entries(journal.path)] == ["subnets_isolated"]
    assert not has_ended(journal.path)
