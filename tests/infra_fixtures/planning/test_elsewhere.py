"""A rehearsal in an emulated account that cannot be had is told in the plan, and one that refuses refuses."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from drill.host_environment import child_environment
from drill.unusable import UnusableInput
from infra_fixtures.faults.lambda_throttled import LambdaThrottled
from infra_fixtures.faults.schedule import Schedule
from infra_fixtures.planning.elsewhere import NOT_WALKED, found_elsewhere
from infra_fixtures.run_layout import REPOSITORY
from infra_fixtures.safety.journal import Header

SCHEDULE = Schedule.of(LambdaThrottled())


def target(run: Header | None) -> Any:
    """A target's module that gives that run to be rehearsed; None: it has no emulated account for it."""

    @contextlib.contextmanager
    def emulated(_run: Header) -> Iterator[tuple[Header, dict[str, str]] | None]:
        yield None if run is None else (run, child_environment(os.environ, PYTHONPATH=str(REPOSITORY)))

    return SimpleNamespace(emulated=emulated)


@pytest.mark.parametrize("module", [SimpleNamespace(), target(None)], ids=["no account", "none for this run"])
def test_without_an_account_nothing_is_known(module: Any) -> None:
    """The fault is announced; its calls are not."""
    (fault,) = found_elsewhere(module, Header("run-1", "aws", 1.0), SCHEDULE).faults
    assert (fault.fault, fault.calls, fault.note) == ("lambda_throttled", (), NOT_WALKED)


def test_a_process_that_fails_is_told_in_the_plan() -> None:
    """It dies of a target that nobody knows: the plan has its last word, and the game day may go on."""
    run = Header("run-1", "nowhere", 1.0)
    (fault,) = found_elsewhere(target(run), run, SCHEDULE).faults
    assert fault.note == f"{NOT_WALKED} (no rehearsal: KeyError: 'nowhere')"


def test_what_is_refused_there_is_refused_here() -> None:
    """By the same sentence: here that nothing says what may be touched."""
    run = Header("run-1", "aws", 10.0, {"aws_zone": "Z1"})
    with pytest.raises(UnusableInput, match="--pace 10 is not to be had on AWS"):
        found_elsewhere(target(run), run, SCHEDULE)
