"""Aurora's own function is asked where the engine has it; an engine without it claims nothing."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import psycopg

from probes.global_db_status import GlobalDbStatus
from tests.probes.conftest import let_pass, watching
from tests.real_world import System

FUNCTION = """
CREATE FUNCTION aurora_global_db_status() RETURNS TABLE (
    aws_region text, highest_lsn_written bigint, durability_lag_in_msec real, rpo_lag_in_msec real,
    last_lag_calculation_timestamp timestamptz, feedback_epoch bigint, feedback_xmin bigint)
LANGUAGE sql AS $$ VALUES
    ('us-east-1', 93763984222::bigint, -1::real, -1::real, now(), 0::bigint, 0::bigint),
    ('us-west-2', 93763984222::bigint, 900::real, 1090::real, now(), 2::bigint, 3315479243::bigint) $$
"""
"""With the columns and the rows of Aurora's own page (aurora_global_db_status.html)."""


@contextlib.contextmanager
def _function(system: System) -> Iterator[None]:
    world = system.world
    with psycopg.connect(**dataclasses.asdict(world.database(world.primary)), autocommit=True) as owner:
        owner.execute(FUNCTION)
        try:
            yield
        finally:
            owner.execute("DROP FUNCTION aurora_global_db_status()")


def test_lags_of_the_secondary_are_sampled_in_seconds(system: System) -> None:
    """The primary's own row, -1, is no lag."""
    with _function(system), watching(GlobalDbStatus(system.world, every_s=0.1)) as notebook:
        durability = notebook.await_said("aurora_durability_lag_s", subject="us-west-2")
        rpo = notebook.await_said("aurora_rpo_lag_s", subject="us-west-2")
        assert (durability.value, rpo.value) == (0.9, 1.09)
        assert {s.subject for s in notebook.said} == {"us-west-2"}


def test_an_engine_without_the_function_claims_nothing(system: System) -> None:
    """Neither region has it: the probe ends by itself, and no sample is no lag of 0."""
    with watching(GlobalDbStatus(system.world, every_s=0.05)) as notebook:
        let_pass(1.0)
    assert notebook.said == []
