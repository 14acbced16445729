"""A whole real run, scanned for every secret that the system under test had: none is in any record, log or report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenarios.secret_witness import WITNESS_VARIABLE
from tests.secret_search import find_secrets

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_secret_of_a_whole_run_is_in_its_directory(tmp_path: Path) -> None:
    """API key, the run's credentials, database password, workers' token and signing key are in nothing that it left."""
    key = tmp_path / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(key)], check=True, capture_output=True)
    witness, runs = tmp_path / "witness.json", tmp_path / "runs"
    command = [sys.executable, "-m", "pytest", "-p", "tests.scenarios.secret_witness", "scenarios", "--workers", "1"]
    told = subprocess.run(
        [*command, "-k", "lambda_throttled", "--runs-dir", str(runs)],
        cwd=ROOT,
        env={**os.environ, WITNESS_VARIABLE: str(witness), "DRILL_SIGNING_KEY_FILE": str(key)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    run = runs / "latest"
    assert (run / "MANIFEST.sha256").exists(), told.stdout[-3000:]
    known: dict[str, str] = json.loads(witness.read_text())
    assert len(known) >= 7, f"a key, four credentials, a password and a token at least: {sorted(known)}"
    secrets = [*known.values(), key.read_text().splitlines()[1]]
    assert find_secrets(run.resolve(), secrets) == []
    records = {p.name for p in run.resolve().rglob("*") if p.is_file()}
    assert {
        "ops.parquet",
        "run.json",
        "verdict.json",
        "locust.log",
        "report.pdf",
        "junit.xml",
        "journal.jsonl",
    } <= records
    # the search would have found each of them
    for number, secret in enumerate(secrets):
        (run / "leak.txt").write_text(f"X-Api-Key: {secret}")
        assert find_secrets(run.resolve(), secrets) == [f"leak.txt: holds secret {number}"]
