"""Applications and name servers that nobody here wrote, attached and drilled, against a truth of its own.

A controller kills the primary and moves its name at times that only it knows; an observer of its own looks by name all the
while. In each of twenty drills the recovery time's bracket must hold the true one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from infra_fixtures.run_layout import RunLayout
from tests.attached.applications import datasette, kinto_over_a_pair, kintos
from tests.attached.bench import Name, Serve, drills
from tests.attached.name_servers import dnsmasq, powerdns

TIMES, FEW = 20, 5
NARROW_S = 1.5
"""A wider bracket would hold much."""


@pytest.mark.nightly
@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("serve", "name", "times"),
    [
        pytest.param(datasette, dnsmasq, TIMES, id="datasette-dnsmasq"),
        pytest.param(kintos, powerdns, TIMES, id="kinto-powerdns"),
        pytest.param(kinto_over_a_pair, dnsmasq, FEW, id="kinto-haproxy-postgresql-pair"),
    ],
)
def test_the_true_recovery_time_is_in_every_bracket(
    layout: RunLayout, tmp_path: Path, serve: Serve, name: Name, times: int
) -> None:
    """In all of them; none is missed, and where both places share a store nothing is lost."""
    outcomes = drills(layout, tmp_path, serve, name, times)
    told = "\n".join(map(str, outcomes))
    sys.stdout.write(f"\n{told}\n")
    assert all(o.holds_truth for o in outcomes), told
    assert all(o.upper is not None and o.lower is not None and o.upper - o.lower < NARROW_S for o in outcomes), told
    assert {o.verdict for o in outcomes} <= {"MET", "UNPROVEN"}, told
    assert sum(o.verdict == "MET" for o in outcomes) >= 0.9 * times, told
    assert times == FEW or {o.lost for o in outcomes} == {0}, told
