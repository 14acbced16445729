"""Steady is both regions well, the name leading to the primary and the failover alarm at rest; else it says what is not."""

from __future__ import annotations

import time

import pytest

from drill.wait import wait_until
from infra_fixtures.faults.database_lost import DatabaseLost
from infra_fixtures.faults.fault import injected
from infra_fixtures.gate import GateNotPassed
from probes.dns_answer import DnsAnswer
from probes.steady_state import await_steady_state
from tests.probes.test_dns_answer import invert
from tests.real_world import System


def test_a_well_system_is_steady_at_once(system: System) -> None:
    """It returns without waiting."""
    began_s = time.monotonic()
    await_steady_state(system.world)
    assert time.monotonic() - began_s < 2


@pytest.mark.parametrize("which", ["primary", "standby"])
def test_a_region_without_its_database_is_named(system: System, which: str) -> None:
    """The region whose database is gone is the one it waited for in vain."""
    region = getattr(system.world, which)
    with (
        injected(system.world, DatabaseLost(region)),
        pytest.raises(GateNotPassed, match=rf"^{region}: /health/deep did not answer 200 within 0\.5 s.*: 5\d\d$"),
    ):
        await_steady_state(system.world, timeout_s=0.5)


def test_a_name_that_leads_elsewhere_is_named(system: System) -> None:
    """Both regions are well, but Route 53 answers with the standby."""
    world = system.world
    invert(world, True)
    try:
        names = DnsAnswer(world)
        wait_until(lambda: names.answer() == world.standby, what="the answer to flip", timeout_s=10)
        said = f"^{world.primary}: Route 53 did not answer with this region .*: {world.standby}$"
        with pytest.raises(GateNotPassed, match=said):
            await_steady_state(world, timeout_s=0.3)
    finally:
        invert(world, False)


def test_an_alarm_that_could_not_act_is_named(system: System) -> None:
    """All serves, but from a disarmed alarm no failover would come."""
    world = system.world
    cloudwatch, alarm = world.client("cloudwatch", world.standby), world.deployed.alarm_name
    cloudwatch.disable_alarm_actions(AlarmNames=[alarm])
    try:
        said = f"^{world.standby}: the failover alarm {alarm} was not armed and OK .*: disarmed and OK$"
        with pytest.raises(GateNotPassed, match=said):
            await_steady_state(world, timeout_s=0.3)
    finally:
        cloudwatch.enable_alarm_actions(AlarmNames=[alarm])
    await_steady_state(world)
