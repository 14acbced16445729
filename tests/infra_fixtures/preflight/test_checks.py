"""Each check on a system that stands: it is well, it is refused while something is wrong, and it is well again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drill.wait import wait_until
from infra_fixtures.preflight.check import Verdict, checks
from infra_fixtures.preflight.flight import NotReady, require_ready, system_findings
from infra_fixtures.targets.embedded_world import Embedded
from tests.infra_fixtures.preflight.breakages import BREAKAGES
from tests.real_world import real_world

BY_NAME = {check.name: check for check in checks()}
UNSEEN = {"quotas"}
"""The embedded AWS API has no Service Quotas of Lambda."""
BY_UNIT_TEST_ALONE = {"headless standby", *UNSEEN}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """One system for all; each test puts back what it changed."""
    with real_world(tmp_path_factory.mktemp("runs")) as system:
        yield system.world


def test_a_system_as_it_was_provisioned_is_well(world: Embedded) -> None:
    """Nothing refuses it; what cannot be seen here says so and does not pass for well."""
    found = {finding.check: finding for finding in system_findings(world)}
    assert {name for name, finding in found.items() if finding.verdict is Verdict.UNKNOWN} == UNSEEN
    assert {finding.verdict for name, finding in found.items() if name not in UNSEEN} == {Verdict.OK}
    require_ready(found.values())


@pytest.mark.parametrize("name", BREAKAGES)
def test_what_is_wrong_is_refused_until_it_is_mended(world: Embedded, name: str) -> None:
    """In a sentence that names it, says how to mend it and where AWS explains it."""
    check, broken, said = BREAKAGES[name]
    with broken(world):
        finding = BY_NAME[check].look(world)
        assert finding.verdict is Verdict.REFUSE, str(finding)
        assert said in finding.says
        assert finding.mend
        assert finding.page.startswith("https://docs.aws.amazon.com/")
        with pytest.raises(NotReady, match=check):
            require_ready([finding])
    wait_until(lambda: BY_NAME[check].look(world).verdict is Verdict.OK, what=f"{check} to be well again", timeout_s=10)


def test_every_check_is_tried_both_ways() -> None:
    """A check without a breakage here has a test of its own."""
    assert {check for check, _, _ in BREAKAGES.values()} | BY_UNIT_TEST_ALONE == set(BY_NAME)
