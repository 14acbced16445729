"""Two faults: the first still stands when the second strikes, and is healed first."""

from __future__ import annotations

from infra_fixtures.faults.lambda_throttled import lambda_throttled
from infra_fixtures.faults.replication_cut import replication_cut
from infra_fixtures.faults.sequence import after
from infra_fixtures.safety.journal import Begun, Healed
from tests.real_world import System

HOLD_S = 0.3


def test_the_second_strikes_while_the_first_stands(system: System) -> None:
    """Both are open at once, `hold_s` apart; the effect is the second's, the first is among its `earlier`."""
    world = system.world
    second = lambda_throttled(world, world.primary, world.deployed.orders_function)
    with after(replication_cut(world), HOLD_S, second) as effect:
        stand = [b.fault for b in world.journal.open_entries()]
        assert stand == ["lambda_throttled", "replication_cut"], "newest first"
        assert effect.fault == "lambda_throttled"
        assert [e.fault for e in effect.earlier] == ["replication_cut"]
        assert HOLD_S <= (effect.began_ns - effect.earlier[0].effective_ns) / 1e9 < HOLD_S + 0.5
    lines = world.journal.lines()[-4:]
    assert [type(line) for line in lines] == [Begun, Begun, Healed, Healed]
    cut, throttled = lines[0].entry, lines[1].entry
    assert [line.entry for line in lines[2:]] == [cut, throttled], "the first is healed first"
