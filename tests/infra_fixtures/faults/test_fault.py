"""What every fault has in common: it is journalled first, and healed whatever happens, or said not to be."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from drill.unusable import UnusableInput
from infra_fixtures.faults.fault import Fault, Injection, NotSupported, injected
from infra_fixtures.faults.lambda_throttled import LambdaThrottled
from infra_fixtures.faults.region_lost import RegionLost
from infra_fixtures.safety.heal import HealingFailed
from infra_fixtures.safety.undo import AwsCall, Learn
from infra_fixtures.targets.world import World
from tests.real_world import System


class Struck(Exception):
    """Something went wrong in the middle."""


@pytest.mark.parametrize("error", [Struck, KeyboardInterrupt])
def test_an_error_while_it_stands_heals_it(system: System, error: type[BaseException]) -> None:
    """A scenario that fails, and Ctrl-C: the fault is undone and the journal closed before the error goes on."""
    world = system.world
    with pytest.raises(error), injected(world, LambdaThrottled(world.standby, world.deployed.canary_function)):
        raise error
    assert world.journal.open_entries() == []
    client = world.client("lambda", world.standby)
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(
        FunctionName=world.deployed.canary_function
    )


def test_a_region_that_is_none_of_the_system_s_is_not_journalled(system: System) -> None:
    """Nothing is known of it, so nothing of it could be undone; the sentence names those that there are."""
    world = system.world
    before = world.journal.path.read_bytes()
    with (
        pytest.raises(
            UnusableInput, match="us-east-9 is no region of this system: give one of primary, standby, us-east-1"
        ),
        injected(world, RegionLost("us-east-9")),
    ):
        pytest.fail("it was injected")
    assert world.journal.path.read_bytes() == before


class Half(Fault, frozen=True):
    """Throttles a function, and then fails or not; `undone` are the functions that its undo names."""

    function: str
    undone: tuple[str, ...]
    fails: bool = True

    def prepare(self, world: World) -> Injection:
        """Its undo is known from the start but for the last, which is learnt."""
        client = world.client("lambda", world.standby)
        calls = [
            AwsCall("lambda", world.standby, "delete_function_concurrency", {"FunctionName": name})
            for name in self.undone
        ]

        def act(learn: Learn) -> None:
            client.put_function_concurrency(FunctionName=self.function, ReservedConcurrentExecutions=0)
            learn(calls[-1])
            if self.fails:
                raise Struck

        return Injection("canary", calls[:-1], act)


def test_an_injection_that_fails_halfway_is_undone(system: System) -> None:
    """What was learnt before it failed is journalled too, so that whatever half of it was done is taken back."""
    world, function = system.world, system.world.deployed.canary_function
    client = world.client("lambda", world.standby)
    with pytest.raises(Struck), injected(world, Half(function, (function,))):
        pytest.fail("it was never injected")
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=function)
    assert world.journal.open_entries() == []


def test_an_undo_that_fails_is_named_and_stays_open(system: System) -> None:
    """The other undos are done all the same; who must heal by hand is told what, and the journal keeps it."""
    world, function = system.world, system.world.deployed.canary_function
    client = world.client("lambda", world.standby)
    stuck = injected(world, Half(function, ("no-such-function", function), fails=False))
    with pytest.raises(HealingFailed, match="do it by hand") as failed, stuck:
        pass
    assert "no-such-function" in str(failed.value)
    assert "ResourceNotFoundException" in str(failed.value)
    assert function not in str(failed.value)
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName=function)
    assert [b.fault for b in world.journal.open_entries()] == ["half"]
    world.journal.healed(world.journal.open_entries()[0].entry, by="hand")


def test_a_target_without_the_power_says_so() -> None:
    """The sentence names fault, power and target; nothing is touched."""
    powerless = cast(World, cast(Any, SimpleNamespace(target="attach")))
    with (
        pytest.raises(NotSupported, match="region_lost needs RegionPower, which the target attach does not have"),
        injected(powerless, RegionLost("us-east-1")),
    ):
        pytest.fail("it was injected")
