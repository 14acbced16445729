"""A recorded life of a system: each call of it is allowed by the policy of its role, and the policies ask for no more."""

from __future__ import annotations

import pytest

from infra_fixtures.permissions.calls import Role
from infra_fixtures.permissions.command import NAME, REGIONS, TAG
from infra_fixtures.permissions.evaluation import Decision, decide
from infra_fixtures.permissions.needs import recorded
from infra_fixtures.permissions.policies import Narrowing, policies
from tests.infra_fixtures.permissions.recording import Recording
from tests.infra_fixtures.permissions.whole_life import whole_life

REMEDY = "record anew: python -m tests.infra_fixtures.permissions.whole_life, then ...permissions.write"


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The calls of a whole life."""
    return whole_life(tmp_path_factory.mktemp("runs"))


def test_every_recorded_call_is_allowed(life: Recording) -> None:
    """By the generated policy of the role whose call it is, with the resources, tags and regions that it had."""
    assert len(life.made) > 500
    assert {one.role for one in life.made} == set(Role)
    own = {
        role: policies(role, Narrowing(REGIONS, NAME, TAG, account="123456789012", zone="dr-drill.example"))
        for role in Role
    }
    refused = {
        f"{one.role.value}: {request.action} on {request.arn} ({one.call})"
        for one in life.made
        for request in one.requests
        if decide(own[one.role], request) is not Decision.ALLOWED
    }
    assert not refused


def test_what_is_kept_is_what_was_recorded(life: Recording) -> None:
    """No role is given what the recorded life did not need, and nothing of it is left out."""
    assert life.needs() == recorded(), REMEDY
