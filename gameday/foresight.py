"""What a target can never play is refused before anything is made: its regions, powers and parts are known by then."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from drill.objective import nearest
from drill.unusable import UnusableInput
from gameday.scenario import Scenario
from infra_fixtures.faults.fault import NotSupported
from infra_fixtures.faults.schedule import require_all
from infra_fixtures.safety.stop_conditions import Alarm, Beyond, Readable, Until, from_tables
from infra_fixtures.targets.outlook import Outlook
from probes.all import sampled


def require_playable(
    scenario: Scenario, outlook: Outlook, *, source: str, stop: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Raise UnusableInput, which names `source`, where no system of the target can play the scenario.

    Its faults, the regions that it names, and every stop condition, those of the whole day (`stop`) with them.
    """
    try:
        require_all(outlook, scenario.faults)
        scenario.plan(outlook)
        for condition in from_tables([*stop, *scenario.settings.stop]):
            _require_can_be_met(condition, outlook)
    except (NotSupported, UnusableInput) as e:
        raise UnusableInput(f"{source}: {e}") from e


def _require_can_be_met(condition: Readable, outlook: Outlook) -> None:
    match condition:
        case Alarm(region=region) if region not in (outlook.primary, outlook.standby):
            raise UnusableInput(
                f"the stop condition on the alarm {condition.name} can never be told, as {region} is no region of this "
                f"system: give {outlook.primary} or {outlook.standby}"
            )
        case Beyond(metric=metric, subject=subject):
            known = sampled(outlook.has_part)
            subjects = {of for name, of in known if name == metric}
            if not subjects:
                raise UnusableInput(
                    f"a stop condition on {metric} can never be met, as nothing samples it: "
                    f"{nearest(metric, sorted({name for name, _ in known}))}"
                )
            if "" not in subjects and subject not in subjects:
                raise UnusableInput(
                    f"a stop condition on {metric} of {subject} can never be met: {nearest(subject, sorted(subjects))}"
                )
        case Until(at=at) if at <= dt.datetime.now(dt.UTC):
            raise UnusableInput(f"{condition}, so nothing would be broken: give a moment that is still to come")
