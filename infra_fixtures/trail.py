"""`python -m infra_fixtures trail RUN`: whether CloudTrail and a run's own log of calls tell of the same."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from drill.unusable import UnusableInput
from infra_fixtures.safety.call_log import CALLS, read_calls
from infra_fixtures.safety.journal import JOURNAL, header
from infra_fixtures.safety.trail_check import GLOBAL_EVENTS, Comparison, compare
from infra_fixtures.targets import orphan_of


def compared(run: Path) -> Comparison:
    """What CloudTrail says of a stored run, asked with the credentials that are found now; raises UnusableInput."""
    calls = read_calls(run / CALLS)
    if not calls:
        raise UnusableInput(
            f"{run} has no {CALLS}: give the directory of a run that changed something in an AWS account"
        )
    told = header(run / JOURNAL) if (run / JOURNAL).exists() else None
    if told is None:
        raise UnusableInput(f"{run} has no {JOURNAL} that says in which account it was: give the run's own directory")
    client = orphan_of(told).client
    if client("cloudtrail", GLOBAL_EVENTS) is None:
        raise UnusableInput(f"the AWS API of {told.run_id} is gone, and its trail with it: nobody can ask any more")
    try:
        return compare(calls, client, dt.datetime.now(dt.UTC))
    except (BotoCoreError, ClientError) as e:
        raise UnusableInput(f"CloudTrail does not answer ({e}): allow cloudtrail:LookupEvents to the observer") from e
