"""Scenarios as experiment templates of AWS FIS, with the roles that they need: what `python -m scenarios fis` writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from drill.unusable import UnusableInput
from gameday.scenario import Scenario
from infra_fixtures.faults.schedule import Scheduled
from infra_fixtures.fis.cloudformation import stack
from infra_fixtures.fis.permissions import SSM, permissions, trust, trusting
from infra_fixtures.fis.template_file import placeholders
from infra_fixtures.fis.written import Automation, Place, Timed, region_of, template_of
from infra_fixtures.safety.stop_conditions import Alarm, from_tables

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """What a scenario becomes: documents by the end of their file's name, and what is to be known of them."""

    documents: Mapping[str, Document]
    notes: tuple[str, ...]

    def write(self, directory: Path, name: str) -> Iterator[Path]:
        """Each document as a file NAME.KIND.json; UnusableInput where that cannot be."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            for kind, document in self.documents.items():
                path = directory / f"{name}.{kind}.json"
                path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
                yield path
        except OSError as e:
            raise UnusableInput(f"{directory} cannot be written ({e.strerror}): give another --to") from e


def written(
    name: str,
    scenario: Scenario,
    place: Place,
    *,
    role_arn: str = "",
    log_group: str = "",
    cloudformation: bool = False,
) -> Written:
    """The scenario's faults as one template; UnusableInput names what FIS cannot do.

    role_arn: the experiment's role; empty: one is written with it, allowed just the actions of the template.
    """
    faults = scenario.faults.faults
    names = _names(faults)
    actions = [
        Timed(n, one.fault.in_fis(place), one.at_s, one.for_s or place.lasts_s)
        for n, one in zip(names, faults, strict=True)
    ]
    region = region_of(actions)
    alarms, notes = _alarms(scenario, region)
    role = f"{name}-fis"
    template = template_of(
        name,
        actions,
        place,
        alarms=alarms,
        role_arn=role_arn or f"arn:aws:iam::{place.account}:role/{role}",
        log_group=log_group,
    )
    policies = (
        None if role_arn else _role(role, trust(place.account, region), permissions(template, place.account, region))
    )
    automations = [a.action.automation for a in actions if a.action.automation]
    notes += [f"{a.name}: {a.action.differs}" for a in actions if a.action.differs]
    documents = (_as_stack if cloudformation else _as_files)(template, policies, automations, place)
    left = placeholders([*documents.values()])
    notes += [f"fill in {', '.join(left)}"] if left else []
    return Written(documents, tuple(notes))


def _names(faults: tuple[Scheduled, ...]) -> list[str]:
    """One a fault: its own, with a number where it comes twice."""
    plain = [one.fault.name.replace("_", "-") for one in faults]
    return [n if plain.count(n) == 1 else f"{n}-{1 + plain[:i].count(n)}" for i, n in enumerate(plain)]


def _alarms(scenario: Scenario, region: str) -> tuple[list[str], list[str]]:
    """The alarms that FIS can watch; a sentence for each condition that it cannot."""
    alarms: list[str] = []
    notes: list[str] = []
    for condition in from_tables(scenario.settings.stop):
        if not isinstance(condition, Alarm):
            notes.append(f"FIS does not stop where {condition}: only python -m scenarios play does")
        elif condition.region != region or condition.state != "ALARM":
            raise UnusableInput(
                f"FIS cannot stop where {condition}: it watches alarms of {region}, where the experiment is, and stops in "
                "ALARM; give such a one"
            )
        else:
            alarms.append(condition.name)
    return alarms, notes


def _role(name: str, trusted: Document, allowed: Document) -> dict[str, Any]:
    """Properties of AWS::IAM::Role."""
    policy = {"PolicyName": "experiment", "PolicyDocument": allowed}
    return {"RoleName": name, "AssumeRolePolicyDocument": trusted, "Policies": [policy]}


def _automation_role(automation: Automation, place: Place) -> dict[str, Any]:
    resources = [f"arn:aws:rds::{place.account}:global-cluster:*", f"arn:aws:rds:*:{place.account}:cluster:*"]
    allowed = {"Effect": "Allow", "Action": list(automation.permissions), "Resource": resources}
    return _role(automation.role, trusting(SSM), {"Version": "2012-10-17", "Statement": [allowed]})


def _as_files(
    template: Document, role: Document | None, automations: list[Automation], place: Place
) -> dict[str, Document]:
    """What the CLI takes: `--cli-input-json` of create-experiment-template, and the documents of create-role, put-role-policy
    and create-document."""
    found: dict[str, Document] = {"template": template}
    found |= _policy_files("", role)
    for automation in automations:
        found["automation"] = automation.content
        found |= _policy_files("automation-", _automation_role(automation, place))
    return found


def _policy_files(prefix: str, role: Document | None) -> dict[str, Document]:
    if role is None:
        return {}
    return {
        f"{prefix}trust": role["AssumeRolePolicyDocument"],
        f"{prefix}permissions": role["Policies"][0]["PolicyDocument"],
    }


def _as_stack(
    template: Document, role: Document | None, automations: list[Automation], place: Place
) -> dict[str, Document]:
    resources: dict[str, Document] = {}
    for automation in automations:
        document = {"Name": automation.name, "DocumentType": "Automation", "Content": automation.content}
        resources["Automation"] = {"Type": "AWS::SSM::Document", "Properties": document}
        resources["AutomationRole"] = {"Type": "AWS::IAM::Role", "Properties": _automation_role(automation, place)}
    return {"cloudformation": stack(template, role, resources)}
