"""One run at a time holds a target, on whichever machine it is, and what a dead one left is told before anybody takes it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from drill.run import Unproven
from drill.unusable import UnusableInput
from drill.wait import wait_until
from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.run_layout import RunLayout
from infra_fixtures.safety.lock_place import LockPlace
from infra_fixtures.safety.stop_conditions import Sight
from infra_fixtures.safety.stop_watch import stop_watches
from infra_fixtures.safety.target_lock import lock_of_dead_run, take, target_lock
from tests.drill.scripted_drill import QUICK, Heartbeats, World
from tests.infra_fixtures.safety.lock_race import go, racing, said, start

AwsClient = Callable[..., Any]
REGION, ACCOUNT = "us-west-2", "123456789012"
SHORT_S = 1.0


@pytest.fixture
def place(aws_client: AwsClient) -> LockPlace:
    """The lock of a target of this test alone."""
    return LockPlace(aws_client("s3", REGION), ACCOUNT, f"target-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def key(control_plane: RunLayout) -> AccessKey:
    """What they sign with."""
    return control_plane.credentials.user


@pytest.fixture
def url(control_plane: RunLayout) -> str:
    """Where other processes find the same S3."""
    return control_plane.region(REGION).aws.url


def test_a_second_run_is_refused_and_told_who_holds_it(place: LockPlace) -> None:
    """One sentence: whose it is, since when, and how to heal it; afterwards it is free at once."""
    with target_lock(place, "first") as held:
        with pytest.raises(UnusableInput) as refused, target_lock(place, "second"):
            pytest.fail("both hold it")
        assert held.met() == ""
    sentence = str(refused.value)
    assert f"the target {place.target} is held by first of " in sentence
    assert " UTC: wait until that run ends; if it is dead, heal it with " in sentence
    assert f"`python -m infra_fixtures heal --runs-dir DIR` on {socket.gethostname()}, where DIR has first" in sentence
    with target_lock(place, "second"):
        pass


def test_each_target_has_a_lock_of_its_own(place: LockPlace) -> None:
    """What holds one does not keep out of another."""
    other = LockPlace(place.s3, place.account, f"{place.target}-2")
    with target_lock(place, "first"), target_lock(other, "second"):
        pass


@pytest.mark.parametrize("before", ["never held", "given back"])
def test_of_several_that_race_exactly_one_wins(place: LockPlace, url: str, key: AccessKey, before: str) -> None:
    """Processes that take it at the same moment, whatever is there: one holds it, the others name that one."""
    if before == "given back":
        take(place, "earlier").release()
    with racing(url, ACCOUNT, place.target, racers=4, lease_s=60, key=key) as heard:
        assert heard.count("held") == 1, heard
        winner = f"run-{heard.index('held')}"
        assert all(f"is held by {winner} of " in said for said in heard if said != "held"), heard


def test_a_killed_holder_keeps_it_until_it_is_healed(place: LockPlace, url: str, key: AccessKey) -> None:
    """SIGKILL: refused while the lease lasts, and after it as well, naming run, host and both ways out; healed, it is free."""
    holder = start(url, ACCOUNT, place.target, "killed", 4.0, key)
    try:
        go(holder)
        assert said(holder) == "held"
    finally:
        holder.kill()
        holder.communicate()
    with pytest.raises(UnusableInput, match=r"is held by killed of .*: wait until that run ends"):
        take(place, "second")
    wait_until(lambda: _has_lapsed(place), what="the lease to lapse", timeout_s=30)
    with pytest.raises(UnusableInput) as refused:
        take(place, "second")
    sentence = str(refused.value)
    assert f"{place.target} was held by killed of " in sentence
    assert "died without giving it back, so what it broke may still be broken: heal it with " in sentence
    assert f"on {socket.gethostname()}, where DIR has killed; " in sentence
    assert sentence.endswith(f"and delete s3://{place.bucket}/{place.target}")
    with lock_of_dead_run(place, "killed"):
        pass
    with target_lock(place, "second") as held:
        assert held.met() == ""


def test_the_lock_of_a_machine_that_is_gone_is_deleted_by_a_person(place: LockPlace) -> None:
    """Nobody can heal that run: once the object is deleted, as the sentence says, the target is free."""
    _abandon(place, SHORT_S)
    wait_until(lambda: _has_lapsed(place), what="the lease to lapse", timeout_s=20)
    place.s3.delete_object(Bucket=place.bucket, Key=place.target)
    with target_lock(place, "second"):
        pass


def test_a_run_takes_what_it_could_not_give_back(place: LockPlace) -> None:
    """S3 did not answer as the run gave its lock back: it is not kept out of its own target."""
    _abandon(place, SHORT_S)
    wait_until(lambda: _has_lapsed(place), what="the lease to lapse", timeout_s=20)
    with target_lock(place, "abandoned") as held:
        assert held.met() == ""


def test_a_run_that_left_something_keeps_its_lock(place: LockPlace) -> None:
    """Its teardown failed: nobody else may drill there until it is healed."""
    with target_lock(place, "first", is_over=lambda: False):
        pass
    with pytest.raises(UnusableInput, match="first"), target_lock(place, "second"):
        pytest.fail("it was taken")
    found = place.read()
    assert found is not None
    assert not found.holder.released


def test_a_holder_renews_its_lease(place: LockPlace) -> None:
    """Longer than the lease and all that times can be wrong by: it is held still."""
    with target_lock(place, "first", lease_s=SHORT_S) as held:
        time.sleep(SHORT_S + 4)
        assert held.met() == ""
        assert not _is_free(place)


def test_a_dead_run_s_lock_is_renewed_while_it_is_healed(place: LockPlace) -> None:
    """Its lease has lapsed: as long as the healing lasts nobody takes it, afterwards it is free at once."""
    _abandon(place, SHORT_S)
    wait_until(lambda: _has_lapsed(place), what="the lease to lapse", timeout_s=20)
    with lock_of_dead_run(place, "abandoned"):
        time.sleep(SHORT_S + 4)
        with pytest.raises(UnusableInput, match="is held by abandoned of"):
            take(place, "second")
    found = place.read()
    assert found is not None
    assert found.holder.released


def test_a_healing_that_failed_leaves_the_lock_to_lapse(place: LockPlace) -> None:
    """What it guards is not as it was: it is not given back, and renewed no more."""
    _abandon(place, SHORT_S)
    with pytest.raises(ZeroDivisionError), lock_of_dead_run(place, "abandoned"):
        raise ZeroDivisionError
    found = place.read()
    assert found is not None
    assert not found.holder.released
    wait_until(lambda: _has_lapsed(place), what="the lease to lapse", timeout_s=20)
    with pytest.raises(UnusableInput, match="was held by abandoned of "):
        take(place, "second")


def test_the_lock_of_who_took_over_is_left_alone(place: LockPlace) -> None:
    """Another run holds the target since: healing the dead one neither gives its lock back nor keeps it."""
    with target_lock(place, "second") as held:
        with lock_of_dead_run(place, "abandoned"):
            pass
        assert held.met() == ""
        assert not _is_free(place)


def test_a_broken_lock_is_lost_by_its_holder(place: LockPlace) -> None:
    """The holder notices, and leaves the next one's lock alone."""
    with target_lock(place, "first", lease_s=SHORT_S) as held:
        _broken(place)
        with target_lock(place, "second"):
            wait_until(held.met, what="the loss to be noticed", timeout_s=10)
            assert "was taken from this run: second of " in held.met()
            held.release()
            found = place.read()
            assert found is not None
            assert (found.holder.run_id, found.holder.released) == ("second", False)


def test_a_lease_that_cannot_be_renewed_is_lost(place: LockPlace, aws_client: AwsClient) -> None:
    """S3 does not answer any more: when the lease is over, so is the lock."""
    held = take(place, "first", lease_s=SHORT_S)
    held._place = LockPlace(aws_client("s3", REGION, endpoint="http://127.0.0.1:9"), ACCOUNT, place.target)
    assert "could not be renewed for 1 s" in wait_until(held.met, what="the lease to be over", timeout_s=10)
    held.release()


def test_a_renewal_that_meets_itself_is_none_lost(place: LockPlace) -> None:
    """boto3 repeats a write whose answer did not come: the second finds the first one's work, by this same holder."""
    held = take(place, "first", lease_s=60)
    stale = held._etag
    held._etag = held._renewed()
    held._etag, newest = stale, held._etag
    assert held._renewed() == newest
    held._etag = newest
    held.release()
    assert _is_free(place)


def test_an_s3_that_does_not_answer_is_one_sentence(place: LockPlace, aws_client: AwsClient) -> None:
    """Taking a lock, and a dead run's: where S3 is, what it said, what to do, and nothing of boto3's."""
    gone = LockPlace(aws_client("s3", REGION, endpoint="http://127.0.0.1:9"), ACCOUNT, place.target)
    for act in (lambda: take(gone, "first"), lambda: lock_of_dead_run(gone, "first").__enter__()):
        with pytest.raises(UnusableInput) as refused:
            act()
        sentence = str(refused.value)
        assert f"the lock of {place.target}, {place.url} at http://127.0.0.1:9, cannot be read or written (" in sentence
        assert "): let S3 answer there" in sentence
        assert "\n" not in sentence


def test_something_else_in_its_place_is_refused(place: LockPlace) -> None:
    """An object that is no lock is not overwritten."""
    take(place, "first").release()
    place.s3.put_object(Bucket=place.bucket, Key=place.target, Body=b"precious")
    with pytest.raises(UnusableInput, match=f"{place.target} is no lock .*delete it if nobody drills there"):
        take(place, "second")
    assert place.s3.get_object(Bucket=place.bucket, Key=place.target)["Body"].read() == b"precious"


def test_a_lost_lock_ends_a_drill(place: LockPlace, tmp_path: Any) -> None:
    """Somebody breaks it while the fault stands: the fault is healed and the verdict names the lock."""
    world = World(tmp_path, outages=[], down_s=60.0)

    def act() -> None:
        wait_until(lambda: "injected" in world.events, what="the fault", timeout_s=30)
        _broken(place)

    acting = threading.Thread(target=act)
    with target_lock(place, "first", lease_s=SHORT_S) as held:
        looks = Sight(lambda _s, _r: None, world.traffic.ops, world.drill.samples, world.t0_ns)
        with stop_watches([held], looks) as watches:
            world.drill.probes = [Heartbeats(), *watches]
            acting.start()
            with pytest.raises(Unproven, match="was taken from this run: somebody broke it"):
                world.drill.run(world.fault(), QUICK)
    acting.join(5)
    assert world.events[:2] == ["injected", "healed"]


def _broken(place: LockPlace) -> None:
    """Give it back in the name of its holder; where that one renews at that very moment, once more."""

    def attempt() -> bool:
        with contextlib.suppress(UnusableInput), lock_of_dead_run(place, "first"):
            pass
        return _is_free(place)

    wait_until(attempt, what="the lock to be broken", timeout_s=10)


def _abandon(place: LockPlace, lease_s: float) -> None:
    """Hold it, and never renew or give it back, as one that died."""
    held = take(place, "abandoned", lease_s=lease_s)
    held.stop()


def _is_free(place: LockPlace) -> bool:
    found = place.read()
    return found is None or found.holder.released


def _has_lapsed(place: LockPlace) -> bool:
    found = place.read()
    return found is not None and found.has_lapsed
