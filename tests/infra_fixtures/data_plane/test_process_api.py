"""Processes by role and availability zone, and rules on the links inside a region: each bites, and heals by its own undo."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from drill.wait import wait_until
from infra_fixtures.access.sigv4 import digest, sign
from infra_fixtures.internal_api.clients import client
from infra_fixtures.processes.events import read_events
from tests.infra_fixtures.conftest import planned_layout
from tests.infra_fixtures.data_plane.deploying import deploy
from tests.infra_fixtures.data_plane.running import EAST, WEST, Running, data_plane

NAME = "zoned"
A, B, C = f"{EAST}a", f"{EAST}b", f"{EAST}c"
NAMES = {"database": "aurora", "region": "region"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """A data plane with a function in two zones and the primary's database instance in one of them."""
    with planned_layout() as layout, data_plane(layout) as running:
        ec2 = client(layout, "ec2", EAST)
        vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{i}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
            for i, zone in enumerate((A, B))
        ]
        group = ec2.create_security_group(VpcId=vpc, GroupName="orders", Description="function, database")["GroupId"]
        postgres = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": group}]}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[postgres])
        rds = client(layout, "rds", EAST)
        rds.modify_db_cluster(DBClusterIdentifier="east", VpcSecurityGroupIds=[group])
        rds.create_db_instance(
            DBInstanceIdentifier="east-1", DBInstanceClass="db.r6g.large", Engine="aurora-postgresql",
            DBClusterIdentifier="east", AvailabilityZone=B,
        )  # fmt: skip
        deploy(
            lambda service, region: client(layout, service, region),
            NAME,
            VpcConfig={"SubnetIds": subnets, "SecurityGroupIds": [group]},
            Timeout=1,
        )
        wait_until(lambda: _invoke(running)[0] == 200, what="the function", timeout_s=10)
        wait_until(lambda: _zone_of_database(running) == B, what="the instance's zone", timeout_s=10)
        yield running


@pytest.fixture
def running(shared: Running) -> Iterator[Running]:
    """The same for all tests: each heals what it broke, and nothing died that was not meant to."""
    _both_zones(shared)
    yield shared
    shared.await_ready()
    _both_zones(shared)
    assert _select(shared) == [(1,)]
    died = [
        event
        for log in Path(shared.layout.work_dir).glob("*.events.jsonl")
        for event in read_events(log)
        if event.event == "process.died"
    ]
    assert died == []


def _invoke(running: Running, **event: Any) -> tuple[int, Any]:
    """Invoke the function: status and payload."""
    at, path, body = (
        running.layout.primary.lambda_api,
        f"/2015-03-31/functions/{NAME}/invocations",
        json.dumps(event).encode(),
    )
    signed = sign(
        running.layout.credentials.user, "POST", str(at), path, region=EAST, service="lambda", payload=digest(body)
    )
    request = urllib.request.Request(at.url + path, data=body, method="POST", headers={"Host": str(at), **signed})
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as e:
        return e.code, e.read()
    except OSError as e:
        return 0, e


def _workers(running: Running) -> dict[int, str]:
    """The zone of each worker by its process id."""
    return {w["pid"]: w["az"] for w in running.ask("GET", "/state")[1]["functions"][EAST] if w["pid"]}


def _both_zones(running: Running) -> None:
    """Have a worker in each zone, as concurrent invocations make them."""

    def there() -> bool:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: _invoke(running, sleep=0.7), range(2)))
        return set(_workers(running).values()) == {A, B}

    wait_until(there, what="workers in both zones", timeout_s=20)


def _zone_of_database(running: Running) -> str | None:
    status, answer = running.ask("POST", f"/regions/{EAST}/processes/database/thaw")
    return str(answer["touched"][0]["az"]) if status == 200 and answer["touched"] else None


def _act(running: Running, role: str, action: str, zone: str | None = None) -> list[Mapping[str, Any]]:
    """Act on processes of the primary; those touched."""
    path = f"/regions/{EAST}/processes/{role}/{action}" + ("" if zone is None else f"?az={zone}")
    before = time.monotonic_ns()
    answer = running.do(path)
    assert before <= answer["began_ns"] <= answer["ended_ns"] <= time.monotonic_ns()
    touched: list[Mapping[str, Any]] = answer["touched"]
    return touched


def _select(running: Running) -> list[tuple[Any, ...]] | None:
    """What the writer's endpoint answers to a SELECT; None where it does not."""
    try:
        return running.sql(running.layout.primary.writer.host, "SELECT 1")
    except psycopg.OperationalError:
        return None


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("action", ["kill", "stop"])
def test_ended_workers_of_a_zone_fail_what_they_run_and_the_next_start_is_cold(running: Running, action: str) -> None:
    """In flight: Runtime.ExitError where the zone was hit, success where not; afterwards a fresh worker serves."""
    zones = _workers(running)
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(_invoke, running, sleep=0.8) for _ in range(2)]
        time.sleep(0.3)
        touched = _act(running, "functions", action, A)
        answers = [call.result() for call in calls]
    assert [w["az"] for w in touched] == [A]
    assert all(zones[w["pid"]] == A and not _alive(w["pid"]) for w in touched)
    assert all(status == 200 for status, _ in answers)
    errors = [a["errorType"] for _, a in answers if "errorType" in a]
    assert errors == ["Runtime.ExitError"]
    assert sum("calls" in a for _, a in answers) == 1
    _both_zones(running)
    fresh = [pid for pid in _workers(running) if pid not in zones]
    assert fresh


def test_all_workers_killed_mean_a_cold_start(running: Running) -> None:
    """No worker is left of those there were; the next invocation is the first of its worker."""
    before = _workers(running)
    assert {w["pid"] for w in _act(running, "functions", "kill")} == set(before)
    status, answer = _invoke(running)
    assert (status, answer["calls"]) == (200, 1)
    assert answer["pid"] not in before


def test_frozen_workers_time_out_until_they_are_thawed(running: Running) -> None:
    """Invocations of all workers frozen end by the function's time-out; thawed, those that live answer."""
    frozen = _act(running, "functions", "freeze")
    assert {w["az"] for w in frozen} == {A, B}
    status, answer = _invoke(running)
    assert (status, answer["errorType"]) == (200, "Sandbox.Timedout")
    wait_until(lambda: len(_workers(running)) == 1, what="the end of the worker that timed out", timeout_s=5)
    assert {w["pid"] for w in _act(running, "functions", "thaw")} == set(_workers(running))
    assert _invoke(running)[1]["calls"] > 1


def test_a_frozen_zone_leaves_the_other_and_a_thaw_undoes_its_own_freeze(running: Running) -> None:
    """Only workers of that zone stand still; the thaw of all leaves them so; a zone without workers is refused."""
    [frozen] = _act(running, "functions", "freeze", B)
    assert frozen["az"] == B
    for pid, zone in _workers(running).items():
        stopped = psutil.Process(pid).status() == psutil.STATUS_STOPPED
        assert stopped == (zone == B)
    assert _act(running, "functions", "thaw") == []
    assert psutil.Process(frozen["pid"]).status() == psutil.STATUS_STOPPED
    status, answer = running.ask("POST", f"/regions/{EAST}/processes/functions/freeze?az={C}")
    assert status == 409
    assert answer["error"] == f"no functions process runs in {C} of {EAST}: they are in {A}, {B}"
    assert [w["pid"] for w in _act(running, "functions", "thaw", B)] == [frozen["pid"]]
    assert _act(running, "functions", "thaw", B) == []


@pytest.mark.parametrize("action", ["kill", "stop"])
def test_a_dead_database_comes_back_by_restore(running: Running, action: str) -> None:
    """It stops answering, killing it again is refused, and the restore says how it came back."""
    [touched] = _act(running, "database", action, B)
    assert (touched["role"], touched["az"]) == ("database", B)
    assert not _alive(touched["pid"])
    assert _select(running) is None
    assert running.ask("POST", f"/regions/{EAST}/processes/database/kill")[0] == 409
    assert running.ask("POST", f"/regions/{EAST}/processes/database/kill?az={A}")[0] == 409
    assert _act(running, "database", "restore", A) == []
    [restored] = _act(running, "database", "restore")
    assert restored["how"] == "recovered as the writer"
    assert _select(running) == [(1,)]


def test_a_frozen_database_answers_nothing_until_it_is_thawed(running: Running) -> None:
    """Connections hang and are answered afterwards by the same process."""
    [frozen] = _act(running, "database", "freeze")
    assert _select(running) is None
    [thawed] = _act(running, "database", "thaw")
    assert thawed["pid"] == frozen["pid"]
    assert _select(running) == [(1,)]


def test_a_zone_takes_its_database_and_its_functions_along(running: Running) -> None:
    """`all` with a zone touches both and nothing of the other zone; restore brings the database back."""
    other = [pid for pid, zone in _workers(running).items() if zone == A]
    touched = _act(running, "all", "kill", B)
    assert sorted(p["role"] for p in touched) == ["database", "functions"]
    assert all(p["az"] == B for p in touched)
    assert all(_alive(pid) for pid in other)
    assert _select(running) is None
    assert [p["role"] for p in _act(running, "all", "restore", B)] == ["database"]


@pytest.mark.parametrize("action", ["kill", "stop"])
@pytest.mark.parametrize("role", ["region", "all"])
def test_processes_of_a_region_end_and_its_links_and_api_do_not(running: Running, role: str, action: str) -> None:
    """The edge link still accepts, the AWS API still answers; restore brings back what was ended."""
    touched = _act(running, role, action)
    assert {p["name"] for p in touched} == ({"region"} if role == "region" else {"region", "aurora"})
    assert not any(_alive(p["pid"]) for p in touched)
    assert _invoke(running)[0] == 0
    edge = running.ask("GET", "/state")[1]["links"][EAST]["edge"]
    assert edge["rules"] == {}
    assert client(running.layout, "rds", EAST).describe_db_clusters()["DBClusters"]
    back = _act(running, role, "restore")
    assert {p["name"] for p in back} >= {p["name"] for p in touched}
    assert not {p["pid"] for p in back} & {p["pid"] for p in touched}
    assert running.ask("POST", f"/regions/{WEST}/processes/region/thaw")[0] == 200


@pytest.mark.parametrize("role", ["region", "all"])
def test_frozen_processes_of_a_region_go_on(running: Running, role: str) -> None:
    """Nothing answers until the thaw, and the same processes do then."""
    workers = set(_workers(running))
    touched = _act(running, role, "freeze")
    assert running.ask("POST", f"/regions/{EAST}/processes/functions/kill")[0] == 503
    assert {p["pid"] for p in _act(running, role, "thaw")} == {p["pid"] for p in touched}
    assert _invoke(running)[0] == 200
    assert set(_workers(running)) == workers, "a kill that was refused must not be done later"


def test_rules_inside_a_region_outlive_its_process(running: Running) -> None:
    """Of two rules, both hold in the new process; each taken away leaves the other; what is down takes no rule."""
    writer = f"{EAST}/writer"
    running.put_rule(writer, "slow", latency_ms=40)
    running.put_rule(writer, "refuse", refuse=True)
    assert _select(running) is None
    _act(running, "region", "kill")
    status, answer = running.ask("PUT", f"/links/{writer}/rules/late", {"cut": True})
    assert status == 503
    assert answer["error"] == f"the rule is not in force: the process of {EAST} is down; restore it first"
    assert "pending" not in running.remove_rule(f"{EAST}/egress", "late")
    _act(running, "region", "restore")
    assert set(running.ask("GET", "/state")[1]["links"][EAST]["writer"]["rules"]) == {"slow", "refuse"}
    assert _select(running) is None
    running.remove_rule(writer, "refuse")
    began = time.monotonic()
    assert _select(running) == [(1,)]
    assert time.monotonic() - began > 0.16  # connecting, authenticating and asking are two round trips or more
    running.remove_rule(writer, "slow")
    assert running.ask("GET", "/state")[1]["links"][EAST]["writer"]["rules"] == {}


def test_a_rule_taken_away_while_its_process_is_frozen_goes_with_the_thaw(running: Running) -> None:
    """A frozen process takes no new rule; what is taken away meanwhile is gone once it goes on."""
    writer = f"{EAST}/writer"
    running.put_rule(writer, "refuse", refuse=True)
    _act(running, "region", "freeze")
    status, answer = running.ask("PUT", f"/links/{writer}/rules/late", {"cut": True})
    assert status == 503
    assert "thaw it first" in answer["error"]
    assert "the rule goes when the process goes on" in running.remove_rule(writer, "refuse")["pending"]
    _act(running, "region", "thaw")
    wait_until(lambda: _select(running) == [(1,)], what="the endpoint to answer", timeout_s=5)
    assert running.ask("GET", "/state")[1]["links"][EAST]["writer"]["rules"] == {}


def test_a_lost_region_and_a_cut_link_heal_apart(running: Running) -> None:
    """The loss is a rule of its own: a link cut beside it stays cut when the region is back, and the other way round."""
    upstream = f"{WEST}/upstream"
    running.put_rule(upstream, "cut", cut=True)
    running.do(f"/regions/{EAST}/lose")
    links = running.ask("GET", "/state")[1]["links"]
    assert len(links[WEST]["upstream"]["rules"]) == 2
    assert len(links[EAST]["edge"]["rules"]) == 1
    running.remove_rule(upstream, "cut")
    assert running.ask("GET", "/state")[1]["links"][WEST]["upstream"]["conditions"]["up"]["cut"] is True
    running.put_rule(upstream, "cut", cut=True)
    running.put_rule(f"{EAST}/edge", "slow", latency_ms=1)
    running.do(f"/regions/{EAST}/restore")
    links = running.ask("GET", "/state")[1]["links"]
    assert set(links[WEST]["upstream"]["rules"]) == {"cut"}
    assert set(links[EAST]["edge"]["rules"]) == {"slow"}
    running.remove_rule(upstream, "cut")
    running.remove_rule(f"{EAST}/edge", "slow")


def test_reset_ends_what_is_open_inside_a_region_and_says_how_much(running: Running) -> None:
    """A session over the writer's link breaks, once; the next one lives."""
    layout = running.layout
    running.sql(layout.primary.writer.host, "SELECT 1")
    with psycopg.connect(**running.login(layout.primary.writer.host)) as session:
        session.execute("SELECT 1")
        answer = running.do(f"/links/{EAST}/writer/reset")
        assert answer["connections"] == 1
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert _select(running) == [(1,)]
    wait_until(
        lambda: running.do(f"/links/{EAST}/writer/reset")["connections"] == 0, what="nothing to be open", timeout_s=5
    )
