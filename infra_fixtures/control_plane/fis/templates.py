"""Whether an experiment template is one: what FIS refuses when a template is made or changed.

https://docs.aws.amazon.com/fis/latest/userguide/experiment-templates.html. Of the wording of AWS's refusals two are known from
reports of its users, that of an unknown action and that of an unexpected target; the others name what is wrong in our own
words. What AWS has and this model has not is refused here too, so that no experiment does less than it says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from infra_fixtures.control_plane.fis import catalogue
from infra_fixtures.control_plane.fis.actions.action import Action, Parameter
from infra_fixtures.control_plane.fis.durations import action_seconds
from infra_fixtures.control_plane.fis.refusals import Invalid, QuotaExceeded
from infra_fixtures.control_plane.fis.targets import TARGET_TYPES, TargetType, selection

MOST_ACTIONS, MOST_PARALLEL, MOST_STOP_CONDITIONS, MOST_ARNS, MOST_TAGS = 20, 10, 5, 5, 50
"""https://docs.aws.amazon.com/fis/latest/userguide/fis-quotas.html."""
ALARM = "aws:cloudwatch:alarm"

Template = Mapping[str, Any]


def require_valid(template: Template, region: str, account_id: str) -> None:
    """Raise the FisError that a template earns."""
    _stop_conditions(template["stopConditions"], region, account_id)
    targets, actions = template.get("targets") or {}, template["actions"]
    if not actions:
        raise Invalid("At least one action is required.")
    if len(actions) > MOST_ACTIONS:
        raise QuotaExceeded(f"The template has {len(actions)} actions; the limit is {MOST_ACTIONS}.")
    for name, target in targets.items():
        _target(name, target)
    for name, action in actions.items():
        _action(name, action, targets, actions)
    _order(actions)
    if (parallel := widest(actions)) > MOST_PARALLEL:
        raise QuotaExceeded(f"{parallel} actions of the template may run in parallel; the limit is {MOST_PARALLEL}.")
    _options(template)


def widest(actions: Mapping[str, Any]) -> int:
    """How many actions may run at once at most: the largest set of which none comes after another (Dilworth)."""
    before = {name: _predecessors(name, actions) for name in actions}
    matched: dict[str, str] = {}

    def match(name: str, seen: set[str]) -> bool:
        for other in actions:
            if name in before[other] and other not in seen:
                seen.add(other)
                if other not in matched or match(matched[other], seen):
                    matched[other] = name
                    return True
        return False

    return len(actions) - sum(match(name, set()) for name in actions)


def _predecessors(name: str, actions: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    waiting = list(actions[name].get("startAfter") or ())
    while waiting:
        if (other := waiting.pop()) not in found:
            found.add(other)
            waiting += actions[other].get("startAfter") or ()
    return found


def _order(actions: Mapping[str, Any]) -> None:
    for name, action in actions.items():
        for other in action.get("startAfter") or ():
            if other not in actions:
                raise Invalid(f'Action "{name}" starts after "{other}", which is not an action of the template.')
    for name in actions:
        if name in _predecessors(name, actions):
            raise Invalid(f'Action "{name}" starts after itself.')


def _stop_conditions(conditions: Sequence[Mapping[str, Any]], region: str, account_id: str) -> None:
    if not conditions:
        raise Invalid("At least one stop condition is required.")
    if len(conditions) > MOST_STOP_CONDITIONS:
        raise QuotaExceeded(f"The template has {len(conditions)} stop conditions; the limit is {MOST_STOP_CONDITIONS}.")
    for condition in conditions:
        source, value = condition["source"], condition.get("value")
        if source == "none":
            if value is not None or len(conditions) > 1:
                raise Invalid("A stop condition with the source none has no value, and stands alone.")
        elif source != ALARM:
            raise Invalid(f"{source} is not a source of stop conditions: they are none, {ALARM}.")
        elif not str(value or "").startswith(f"arn:aws:cloudwatch:{region}:{account_id}:alarm:"):
            raise Invalid(f"{value} is not the ARN of a CloudWatch alarm of {region} and this account.")


def _target(name: str, target: Mapping[str, Any]) -> None:
    kind = TARGET_TYPES.get(target["resourceType"])
    if kind is None:
        raise Invalid(
            f'Target "{name}" is of type {target["resourceType"]}, which is not available here: this model of AWS has '
            f"{', '.join(TARGET_TYPES)}."
        )
    arns, tags = target.get("resourceArns") or [], target.get("resourceTags") or {}
    parameters = target.get("parameters") or {}
    if arns and (tags or parameters):
        raise Invalid(f'Target "{name}" has resource ARNs and tags or parameters: give either.')
    if not arns and not tags and not parameters:
        raise Invalid(f'Target "{name}" has no resource ARNs, tags or parameters.')
    if arns and kind.by_tag_only:
        raise Invalid(f'Target "{name}": {target["resourceType"]} can be targeted by resource tags only.')
    if len(arns) > MOST_ARNS:
        raise QuotaExceeded(f'Target "{name}" has {len(arns)} resource ARNs; the limit is {MOST_ARNS}.')
    try:
        selection(target["selectionMode"])
    except ValueError as e:
        raise Invalid(f'Selection mode of target "{name}": {e}.') from e
    _parameters(f'target "{name}"', parameters, kind.parameters)
    _filters(name, target, kind)


def _filters(name: str, target: Mapping[str, Any], kind: TargetType) -> None:
    if target.get("filters") and (target.get("resourceArns") or kind.by_tag_only):
        raise Invalid(f'Filters are not supported for target "{name}".')


def _action(name: str, action: Mapping[str, Any], targets: Mapping[str, Any], actions: Mapping[str, Any]) -> None:
    known = catalogue.action(action["actionId"])
    _parameters(f'action "{name}"', action.get("parameters") or {}, known.parameters)
    _targets_of(name, action.get("targets") or {}, targets, known)


def _targets_of(name: str, given: Mapping[str, str], targets: Mapping[str, Any], known: Action) -> None:
    expected, resource_type = known.target or ("", "")
    for key, target in given.items():
        if key != expected:
            raise Invalid(f'Unexpected target "{key}" found in action "{name}".')
        if target not in targets:
            raise Invalid(f'Action "{name}" has the target "{target}", which is not in the template.')
        if targets[target]["resourceType"] != resource_type:
            raise Invalid(f'Target "{target}" of action "{name}" must be of type {resource_type}.')
    if expected and expected not in given:
        raise Invalid(f'Action "{name}" must have a target "{expected}".')


def _parameters(whose: str, given: Mapping[str, str], known: Mapping[str, Parameter]) -> None:
    for key, value in given.items():
        if key not in known:
            raise Invalid(f'Unexpected parameter "{key}" found in {whose}.')
        if known[key].values and value not in known[key].values:
            raise Invalid(f'Parameter "{key}" of {whose} is {value}; here it may be {", ".join(known[key].values)}.')
        if key in ("duration", "maxDuration"):
            try:
                action_seconds(value)
            except ValueError as e:
                raise Invalid(f'Parameter "{key}" of {whose}: {e}.') from e
    for key, parameter in known.items():
        if parameter.required and not given.get(key):
            raise Invalid(f'Parameter "{key}" of {whose} is required.')


def _options(template: Template) -> None:
    options = template.get("experimentOptions") or {}
    if options.get("accountTargeting", "single-account") != "single-account":
        raise Invalid("accountTargeting multi-account is not available here: a run has one account.")
    for key in ("logConfiguration", "experimentReportConfiguration"):
        if template.get(key):
            raise Invalid(f"{key} is not available here: this model of FIS writes no logs and no report.")
