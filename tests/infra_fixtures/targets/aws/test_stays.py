"""A system that outlives its runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra_fixtures.safety.journal import Header
from infra_fixtures.standing import standing
from infra_fixtures.targets.aws.ledger import MADE, read
from infra_fixtures.targets.aws.target import take_down
from infra_fixtures.targets.emulated_account import EmulatedAccount
from infra_fixtures.targets.parts import RowsPart, part_of
from tests.infra_fixtures.targets.aws.inventory import inventory
from tests.infra_fixtures.targets.aws.use import ORDERS, options, store


@pytest.mark.nightly
@pytest.mark.timeout(300)
def test_a_system_that_stays_is_gone_on_with(
    account: EmulatedAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run finds all of it, makes nothing, and reads what the first one stored; `take_down` ends it."""
    for name, value in account.credentials.items():
        monkeypatch.setenv(name, value)
    before, given = inventory(account), {**options(account), "aws_deployment": "kept"}
    ledger = tmp_path / "kept.aws-ledger.jsonl"
    with standing("aws", pace=10.0, runs_dir=tmp_path, options=given) as world:
        assert store(world, 1) == 201
    made = {line.name for line in read(ledger) if line.what == MADE}
    with standing("aws", pace=10.0, runs_dir=tmp_path, options=given) as world:
        assert len(list(part_of(world, RowsPart).read(world.primary, ORDERS))) == 1
    # some of AWS's calls answer with what is there where it is asked for again
    assert {line.name for line in read(ledger) if line.what == MADE} == made
    run = Header("20261128T000000Z-end", "aws", 1.0, given, str(tmp_path), str(tmp_path / "end"))
    said = take_down(run, lambda: given)
    assert said is not None
    assert "kept is gone" in said
    assert inventory(account) == before
    assert not ledger.exists()
