"""`trail`: a stored run of an account is compared with what that account's CloudTrail says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from drill.unusable import UnusableInput
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.safety.call_log import CALLS, CallLog
from infra_fixtures.safety.journal import Header, Journal
from infra_fixtures.targets.clients import CONFIG
from infra_fixtures.targets.emulated_account import emulated_account
from infra_fixtures.trail import compared
from tests.infra_fixtures.targets.aws.use import options


def test_a_run_agrees_with_its_trail_until_somebody_else_acts(tmp_path: Path) -> None:
    """By the command line, with credentials of the ordinary chain; 0, then 1."""
    with emulated_account() as account:
        run = Header("r1", "aws", account.layout.pace, options(account), str(tmp_path), str(tmp_path))
        journal = Journal(tmp_path)
        journal.stands_up(run)
        log = CallLog(tmp_path / CALLS)
        client = boto3.session.Session().client(
            "sns",
            region_name="us-west-2",
            endpoint_url=account.endpoints["us-west-2"],
            aws_access_key_id=account.access_key.id,
            aws_secret_access_key=account.access_key.secret,
            config=CONFIG,
        )
        log.watch(client)
        client.create_topic(Name="ours")
        journal.close()

        def trail() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-m", "infra_fixtures", "trail", str(tmp_path)],
                cwd=REPOSITORY, env=account.environment(), capture_output=True, text=True, timeout=60,
            )  # fmt: skip

        agreeing = trail()
        assert (agreeing.returncode, agreeing.stderr) == (0, ""), agreeing.stdout
        assert "1 of 1 calls of this run are in CloudTrail" in agreeing.stdout
        account.client("sns", "us-west-2").create_topic(Name="theirs")
        client.create_topic(Name="ours-too")
        differing = trail()
        assert differing.returncode == 1
        assert "in CloudTrail and not in this run's log: sns CreateTopic in us-west-2" in differing.stdout


def test_a_run_that_cannot_be_asked_about_is_refused(tmp_path: Path) -> None:
    """No calls, no journal, an account that is gone: each in a sentence."""
    with pytest.raises(UnusableInput, match=f"has no {CALLS}"):
        compared(tmp_path)
    call = {"pid": 1, "number": 1, "at": "2026-11-27T10:00:00.000Z", "service": "rds", "operation": "RebootDBCluster"}
    (tmp_path / CALLS).write_text(
        json.dumps({**call, "region": "us-east-1", "resources": [], "request_id": "x"}) + "\n"
    )
    with pytest.raises(UnusableInput, match="has no journal"):
        compared(tmp_path)
    journal = Journal(tmp_path)
    journal.stands_up(Header("r1", "embedded", 10.0, {}, str(tmp_path)))
    journal.close()
    with pytest.raises(UnusableInput, match="is gone, and its trail with it"):
        compared(tmp_path)
