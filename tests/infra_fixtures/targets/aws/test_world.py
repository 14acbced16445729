"""A system in an account, stood up once: drilled by clients of its own, read past nobody's firewall, kept and gone on with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra_fixtures import powers
from infra_fixtures.faults.fault import NotSupported, injected
from infra_fixtures.faults.lambda_throttled import LambdaThrottled
from infra_fixtures.faults.region_lost import RegionLost
from infra_fixtures.faults.schedule import Schedule, Scheduled, require_all
from infra_fixtures.safety.refused import Refused
from infra_fixtures.standing import standing
from infra_fixtures.targets.emulated_account import EmulatedAccount
from infra_fixtures.targets.parts import FunctionsPart, MissingPart, NameServersPart, RowsPart, part_of
from infra_fixtures.targets.world import World
from probes.survivors import read_survivors
from tests.infra_fixtures.targets.aws.inventory import inventory
from tests.infra_fixtures.targets.aws.use import ORDERS, options, store


@pytest.fixture(scope="module")
def system(account: EmulatedAccount, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One system of a run's own; when it is gone the account is as it was."""
    before = inventory(account)
    runs = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in account.credentials.items():
            environment.setenv(name, value)
        with standing("aws", pace=10.0, runs_dir=runs, options=options(account)) as world:
            yield world
    assert inventory(account) == before


@pytest.mark.slow
def test_what_a_region_holds_is_read_by_the_function_beside_it(system: World) -> None:
    """Every row of the primary, whatever page it is on, and nothing can be changed on that way."""
    for key in range(3):
        assert store(system, key) == 201
    read_rows = part_of(system, RowsPart).read
    assert list(read_rows(system.primary, ORDERS)) == [(key, 7, 1) for key in range(3)]
    found = [survivor for survivor in read_survivors(system, system.primary, 0) if survivor.store == "aurora"]
    assert [survivor.key for survivor in found] == [0, 1, 2]
    with pytest.raises(Exception, match=r"WITH|refused_\w+|syntax"):
        list(read_rows(system.primary, "WITH gone AS (DELETE FROM orders RETURNING key) SELECT key, key, 1 FROM gone"))
    assert len(list(read_rows(system.primary, ORDERS))) == 3
    with pytest.raises(MissingPart, match="private subnets"):
        system.database(system.primary)


@pytest.mark.slow
def test_a_fault_is_a_call_under_the_guard_and_is_undone(system: World) -> None:
    """What the run made may be broken; what somebody else made is refused although the account is the same."""
    function = part_of(system, FunctionsPart).orders
    lambda_ = system.client("lambda", system.primary)

    def reserved() -> int:
        return int(lambda_.get_function_concurrency(FunctionName=function)["ReservedConcurrentExecutions"])

    before = reserved()
    with injected(system, LambdaThrottled()):
        assert reserved() == 0
    assert reserved() == before
    with pytest.raises(Refused, match="checkout"):
        lambda_.put_function_concurrency(FunctionName="checkout", ReservedConcurrentExecutions=0)


@pytest.mark.slow
def test_its_zone_s_name_servers_are_witnesses(system: World, account: EmulatedAccount) -> None:
    """An emulator has one; nobody else is asked for a name that only it knows."""
    host, _, port = account.name_server.partition(":")
    assert part_of(system, NameServersPart).servers == {"the zone's own": (host, int(port))}


@pytest.mark.slow
def test_it_has_no_power(system: World) -> None:
    """A scenario that needs one is refused, naming it."""
    kinds = [kind for name, kind in vars(powers).items() if name.endswith("Power") and name != "RolesPower"]
    assert kinds
    assert not any(isinstance(system, kind) for kind in kinds)
    with pytest.raises(NotSupported, match="RegionPower"):
        require_all(system, Schedule((Scheduled(RegionLost("primary")),)))


@pytest.mark.slow
def test_a_report_says_that_it_was_an_emulator(system: World) -> None:
    """Of every component that AWS would have been."""
    assert system.fidelity["client traffic"] == "REAL"
    assert all(said.startswith("EMULATOR") for what, said in system.fidelity.items() if what != "client traffic")
    assert any("an emulator answered" in sentence for sentence in system.not_proven)
