"""Recorded lives of systems: each call of them is allowed by the policy of its role, and the policies ask for no more."""

from __future__ import annotations

import pytest

from infra_fixtures.permissions.calls import Role
from infra_fixtures.permissions.command import NAME, REGIONS, TAG
from infra_fixtures.permissions.evaluation import Decision, decide
from infra_fixtures.permissions.needs import recorded
from infra_fixtures.permissions.policies import Narrowing, policies
from tests.infra_fixtures.permissions.recording import Recording, joined
from tests.infra_fixtures.permissions.whole_life import life_on_aws, whole_life

REMEDY = "record anew: python -m tests.infra_fixtures.permissions.whole_life, then ...permissions.write"


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The calls of a whole life on this machine."""
    return whole_life(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def life_in_account(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The calls of a whole life in an emulated account."""
    return life_on_aws(tmp_path_factory.mktemp("runs"))


def _refused(life: Recording) -> set[str]:
    narrowing = Narrowing(REGIONS, NAME, TAG, account="123456789012", zone="dr-drill.example")
    own = {role: policies(role, narrowing) for role in Role}
    return {
        f"{one.role.value}: {request.action} on {request.arn} ({one.call})"
        for one in life.made
        for request in one.requests
        if decide(own[one.role], request) is not Decision.ALLOWED
    }


def test_every_recorded_call_is_allowed(life: Recording) -> None:
    """By the generated policy of the role whose call it is, with the resources, tags and regions that it had."""
    assert len(life.made) > 500
    assert {one.role for one in life.made} == set(Role)
    assert not _refused(life)


def test_what_was_recorded_is_kept(life: Recording) -> None:
    """Nothing that a life on this machine needs is left out."""
    lacking = {
        f"{role.value}: {action} on {sorted(scopes - recorded().get(role, {}).get(action, frozenset()))}"
        for role, own in life.needs().items()
        for action, scopes in own.items()
        if not scopes <= recorded().get(role, {}).get(action, frozenset())
    }
    assert not lacking, REMEDY


@pytest.mark.nightly
def test_every_call_in_an_account_is_allowed(life_in_account: Recording) -> None:
    """There the session says whose a call is."""
    assert {one.role for one in life_in_account.made} == set(Role)
    assert not _refused(life_in_account)


@pytest.mark.nightly
def test_no_role_is_given_more_than_was_recorded(life: Recording, life_in_account: Recording) -> None:
    """What is kept is what both lives needed, to the last scope."""
    assert joined(life.needs(), life_in_account.needs()) == recorded(), REMEDY
