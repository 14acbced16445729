"""The search for secrets: in whatever form a record might carry one, and without repeating it."""

from __future__ import annotations

import base64
import json
import zipfile
from pathlib import Path

import pytest

from drill.history import History, Op, Outcome
from tests.reports.outage import GAMEDAY, write_run
from tests.secret_search import find_secrets

SECRET = 'hunter2/"geheim'


def _text(path: Path) -> None:
    path.with_name("driver.log").write_text(f"connecting with {SECRET}")


def _json(path: Path) -> None:
    path.with_name("verdict.json").write_text(json.dumps({"dsn": SECRET}))


def _url(path: Path) -> None:
    path.with_name("marks.jsonl").write_text("postgresql://u:hunter2%2F%22geheim@127.0.0.1/orders")


def _encoded(path: Path) -> None:
    path.with_name("headers.txt").write_bytes(b"Basic " + base64.b64encode(f"user:{SECRET}!".encode()))


def _parquet(path: Path) -> None:
    History.of(ops=[Op("write", 1, "fresh", 0, 0, 1, Outcome.FAIL, error=f"login {SECRET} failed")]).save(path.parent)


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path.with_name("trace.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log", SECRET * 3)


def _name(path: Path) -> None:
    path.with_name("hunter2-token-name.txt").write_text("")


@pytest.mark.parametrize("leak", [_text, _json, _url, _encoded, _parquet, _zip])
def test_a_secret_is_found_in_every_form_a_record_might_carry(tmp_path: Path, leak: object) -> None:
    """Plain, escaped, in a URL, in base64, in a compressed column or archive: found, named by file, never repeated."""
    assert callable(leak)
    leak(tmp_path / "x")
    found = find_secrets(tmp_path, ["something-else", SECRET])
    assert len(found) == 1
    assert found[0].endswith(": holds secret 1")
    assert "hunter2" not in found[0]


def test_a_secret_in_a_file_s_name_is_found(tmp_path: Path) -> None:
    """A name is a record too."""
    _name(tmp_path / "x")
    assert find_secrets(tmp_path, ["hunter2-token"]) == ["hunter2-token-name.txt: holds secret 0"]


def test_a_clean_run_is_clean_and_a_hopeless_search_is_refused(tmp_path: Path) -> None:
    """No false alarm on a whole run; a secret that chance would find is no secret to look for."""
    assert find_secrets(write_run(tmp_path, GAMEDAY[:1]), [SECRET, "AKIAIOSFODNN7EXAMPLE"]) == []
    with pytest.raises(ValueError, match="shorter"):
        find_secrets(tmp_path, ["abc"])
