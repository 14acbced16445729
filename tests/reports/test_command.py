"""`python -m reports`: builds, verifies, shows the trend; bad input is one sentence and status 2."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from reports.__main__ import main
from reports.record import load_run
from reports.signature import public_pem, signing_key
from reports.wording import value
from tests.reports.outage import GAMEDAY, write_judged_run, write_run

SMALL = tuple(dataclasses.replace(s, rate=20) for s in (GAMEDAY[0], GAMEDAY[2]))


@pytest.fixture(autouse=True)
def _own_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The user's own key is never touched."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("DRILL_SIGNING_KEY", raising=False)
    monkeypatch.delenv("DRILL_SIGNER", raising=False)
    monkeypatch.delenv("DRILL_SIGNING_KEY_FILE", raising=False)


def _pem(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_build_leaves_every_report_and_verify_vouches_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pictures, summary, PDF and manifest come of the raw records; building again gives the same bytes."""
    run = write_judged_run(tmp_path / "run", SMALL)
    assert main(["build", str(run)]) == 0
    said = capsys.readouterr().out
    rto = load_run(run).scenarios[0].figure("rto_s")
    assert value(rto) in said
    assert "signed by SHA256:" in said
    lost = run / "scenarios" / "primary_region_lost"
    for path in (lost / "timeline.png", lost / "waterfall.svg", run / "summary.md", run / "report.pdf"):
        assert path.stat().st_size > 500, path
    before = (run / "MANIFEST.sha256").read_bytes()
    assert main(["build", str(run)]) == 0
    assert (run / "MANIFEST.sha256").read_bytes() == before
    assert main(["verify", str(run)]) == 0


def test_verify_names_what_was_changed_and_build_does_not_sign_it_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1 and the file's name; only --resign, said aloud, signs changed records, and every report then says so."""
    run = write_judged_run(tmp_path / "run", SMALL[:1])
    assert main(["build", str(run)]) == 0
    signed = hashlib.sha256((run / "MANIFEST.sha256").read_bytes()).hexdigest()
    (run / "notes.txt").write_text("looked at by a third party")
    capsys.readouterr()
    assert main(["verify", str(run)]) == 1
    assert "notes.txt: added" in capsys.readouterr().out
    assert main(["build", str(run)]) == 1
    assert "notes.txt: added" in capsys.readouterr().out
    (run / "summary.md").unlink()
    (run / "allure-results").mkdir()
    assert main(["build", str(run), "--resign"]) == 0
    assert "Signed again on" in capsys.readouterr().out
    assert main(["build", str(run)]) == 0
    assert main(["verify", str(run)]) == 0
    told = [capsys.readouterr().out, (run / "summary.md").read_text(), json.dumps(load_run(run).signatures)]
    told.append((run / "allure-results" / "environment.properties").read_text().replace("\\", ""))
    for report in told:
        assert f"in place of the manifest {signed}" in report.replace("\n", " ")
    assert "no longer as signed: notes.txt" in told[1]


def test_another_key_or_a_removed_manifest_does_not_hide_who_signed_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another's signature names the one it replaces; where the manifest is gone, only --resign signs, and says so."""
    run = write_judged_run(tmp_path / "run", SMALL[:1])
    assert main(["build", str(run)]) == 0
    (first,) = re.findall(r"SHA256:\S+(?=\))", (run / "summary.md").read_text())
    monkeypatch.setenv("DRILL_SIGNING_KEY", _pem(Ed25519PrivateKey.generate()).decode())
    monkeypatch.setenv("DRILL_SIGNER", "Jane Doe, SRE")
    assert main(["build", str(run)]) == 0
    text = (run / "summary.md").read_text()
    assert "Signed by Jane Doe, SRE (SHA256:" in text
    assert f"signed by {first}." in text
    (run / "MANIFEST.sha256").unlink()
    capsys.readouterr()
    assert main(["build", str(run)]) == 1
    assert capsys.readouterr().out == "MANIFEST.sha256: missing\n"
    assert main(["build", str(run), "--resign"]) == 0
    assert "a manifest that had been removed" in (run / "summary.md").read_text()
    for name in ("MANIFEST.sha256", "MANIFEST.sha256.sig", "signing-key.pub"):
        (run / name).unlink()
    assert main(["build", str(run)]) == 1, "its reports say that it was signed"
    assert main(["build", str(run), "--resign"]) == 0


def test_a_trusted_key_tells_who_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run signed with the organisation's key verifies with its public half and with no other."""
    ours, theirs = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    (tmp_path / "ours.pem").write_bytes(_pem(ours))
    (tmp_path / "ours.pub").write_bytes(public_pem(ours))
    (tmp_path / "theirs.pub").write_bytes(public_pem(theirs))
    run = write_run(tmp_path / "run", ())
    monkeypatch.setenv("DRILL_SIGNING_KEY_FILE", str(tmp_path / "ours.pem"))
    assert main(["build", str(run)]) == 0
    assert main(["verify", str(run), "--public-key", str(tmp_path / "ours.pub")]) == 0
    assert main(["verify", str(run), "--public-key", str(tmp_path / "theirs.pub")]) == 1
    monkeypatch.setenv("DRILL_SIGNING_KEY", _pem(theirs).decode())
    assert main(["build", str(run)]) == 0
    assert main(["verify", str(run), "--public-key", str(tmp_path / "theirs.pub")]) == 0


def test_a_key_of_one_s_own_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    """The first run makes it, the next ones sign with the same, nobody else may read it."""
    first = signing_key()
    path = tmp_path / "config" / "failover-drill" / "signing-key.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public_pem(signing_key()) == public_pem(first)
    assert [p.name for p in path.parent.iterdir()] == ["signing-key.pem"]


def test_trend_is_status_1_where_a_scenario_regressed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0 as long as nothing is worse than it was, and the picture is drawn."""
    write_run(tmp_path / "a", SMALL[:1], run_id="a", started="2026-11-01T00:00:00Z")
    assert main(["trend", str(tmp_path)]) == 0
    worse = (dataclasses.replace(SMALL[0], down_s=12.0),)
    write_run(tmp_path / "b", worse, run_id="b", started="2026-11-02T00:00:00Z")
    assert main(["trend", str(tmp_path), "--picture", str(tmp_path / "over")]) == 1
    assert "regressed  primary_region_lost: RTO 12.0 s" in capsys.readouterr().out
    assert (tmp_path / "trend.png").exists()
    assert (tmp_path / "over.svg").exists()


def test_unusable_input_is_one_sentence_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is wrong, one line on stderr names it, without a traceback."""
    run = write_run(tmp_path / "run", ())
    (tmp_path / "x25519.pem").write_bytes(_pem(X25519PrivateKey.generate()))
    (tmp_path / "empty").mkdir()
    bad = write_run(tmp_path / "bad", SMALL[:1])
    (bad / "scenarios" / "primary_region_lost" / "ops.parquet").write_bytes(b"PAR1")
    for words, named in [
        (["build", str(tmp_path / "nowhere")], "nowhere"),
        (["build", str(tmp_path / "empty")], "run.json"),
        (["build", str(bad)], "ops.parquet"),
        (["build", str(run), "--key", str(tmp_path / "nokey")], "nokey"),
        (["build", str(run), "--key", str(run / "run.json")], "run.json"),
        (["build", str(run), "--key", str(tmp_path / "x25519.pem")], "not an Ed25519 key"),
        (["build", str(run), "--key", "/dev/zero"], "/dev/zero is a device"),
        (["build", "x" * 5000], "is not a directory"),
        (["verify", str(run), "--public-key", "/dev/zero"], "/dev/zero is a device"),
        (["verify", str(tmp_path / "nowhere")], "nowhere"),
        (["verify", str(run), "--public-key", str(run / "run.json")], "no public key"),
        (["verify", str(run), "--public-key", str(tmp_path / "nokey")], "nokey"),
        (["trend", str(tmp_path / "nowhere")], "nowhere"),
        (["trend", str(tmp_path / "empty")], "no judged run"),
    ]:
        assert main(words) == 2, words
        said = capsys.readouterr().err
        assert named in said
        assert len(said.strip().splitlines()) == 1


def test_the_command_itself_ends_with_those_statuses(tmp_path: Path) -> None:
    """As a process too: 2 and one line for bad input, usage for an unknown command."""
    command = [sys.executable, "-m", "reports"]
    root = Path(__file__).parents[2]
    bad = subprocess.run(
        [*command, "verify", str(tmp_path / "no")], cwd=root, capture_output=True, text=True, check=False
    )
    assert bad.returncode == 2
    assert len(bad.stderr.splitlines()) == 1
    unknown = subprocess.run([*command, "polish"], cwd=root, capture_output=True, text=True, check=False)
    assert unknown.returncode == 2
    assert "Traceback" not in unknown.stderr
