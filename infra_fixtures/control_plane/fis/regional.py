"""FIS of one region: its operations. Each takes the input by the names of its members and gives the output the same way.

https://docs.aws.amazon.com/fis/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from infra_fixtures.control_plane.fis import catalogue, templates
from infra_fixtures.control_plane.fis.actions.action import PausedReplication
from infra_fixtures.control_plane.fis.caller import Caller, RegionGate
from infra_fixtures.control_plane.fis.course import Course
from infra_fixtures.control_plane.fis.protocol import Request
from infra_fixtures.control_plane.fis.records import ActionState, Experiment, Template, identity
from infra_fixtures.control_plane.fis.refusals import Conflict, Invalid, NotFound, NotHere, QuotaExceeded
from infra_fixtures.control_plane.fis.targets import TARGET_TYPES
from infra_fixtures.processes.events import EventLog
from infra_fixtures.run_layout import RunLayout

T = TypeVar("T", Template, Experiment)
MOST_TEMPLATES, MOST_ACTIVE = 500, 5
"""https://docs.aws.amazon.com/fis/latest/userguide/fis-quotas.html."""
LEVER = "default"
_WORD = re.compile(r"(?<!^)(?=[A-Z])")

Fields = Mapping[str, Any]


class RegionalFis:
    """Templates, experiments and the safety lever of a region."""

    def __init__(
        self,
        layout: RunLayout,
        region: str,
        gate: RegionGate,
        events: EventLog,
        emit: Callable[[str, str, str], None],
        paused_replication: set[PausedReplication],
    ) -> None:
        self._layout = layout
        self._region = region
        self._gate = gate
        self._events = events
        self._emit = emit
        self._paused = paused_replication
        self._templates: dict[str, Template] = {}
        self._experiments: dict[str, Experiment] = {}
        self._courses: dict[str, tuple[Course, asyncio.Task[None]]] = {}
        self._tokens: dict[tuple[str, str], tuple[Fields, str]] = {}
        self._lever = {"status": "disengaged", "reason": "Initial state"}

    def do(self, request: Request) -> Mapping[str, Any]:
        """Answer a request; raises FisError."""
        handler = getattr(self, "_" + _WORD.sub("_", request.operation).lower(), None)
        if handler is None:
            raise NotHere(f"This model of FIS has no {request.operation}.")
        said: Mapping[str, Any] = handler(request.fields)
        return said

    def stop_all(self, reason: str) -> list[asyncio.Task[None]]:
        """Stop every experiment; the tasks that end when all is put back."""
        for course, _ in self._courses.values():
            course.stop(reason)
        return [task for _, task in self._courses.values()]

    # templates

    def _create_experiment_template(self, fields: Fields) -> Mapping[str, Any]:
        def make() -> Template:
            said = {k: v for k, v in fields.items() if k not in ("clientToken", "tags")}
            templates.require_valid(said, self._region, self._layout.account_id)
            if len(self._templates) >= MOST_TEMPLATES:
                raise QuotaExceeded(f"There are {MOST_TEMPLATES} experiment templates; that is the limit.")
            made = identity("EXT")
            template = Template(made, self._arn("experiment-template", made), said, dict(fields.get("tags") or {}))
            self._templates[made] = template
            return template

        return {"experimentTemplate": self._once("template", fields, make, self._templates).described()}

    def _get_experiment_template(self, fields: Fields) -> Mapping[str, Any]:
        return {"experimentTemplate": self._template(fields["id"]).described()}

    def _list_experiment_templates(self, fields: Fields) -> Mapping[str, Any]:
        return _page(fields, "experimentTemplates", [t.summary() for t in self._templates.values()])

    def _update_experiment_template(self, fields: Fields) -> Mapping[str, Any]:
        template = self._template(fields["id"])
        changed = {**template.said, **{k: v for k, v in fields.items() if k != "id"}}
        for name, action in changed["actions"].items():  # an item that is to be kept may leave out its id
            action.setdefault("actionId", template.said["actions"].get(name, {}).get("actionId", ""))
        if "experimentOptions" in fields:
            changed["experimentOptions"] = {
                **(template.said.get("experimentOptions") or {}),
                **fields["experimentOptions"],
            }
        templates.require_valid(changed, self._region, self._layout.account_id)
        template.said, template.updated_s = changed, time.time()
        return {"experimentTemplate": template.described()}

    def _delete_experiment_template(self, fields: Fields) -> Mapping[str, Any]:
        template = self._template(fields["id"])
        del self._templates[template.id]
        return {"experimentTemplate": template.described()}

    # experiments

    def _start_experiment(self, fields: Fields) -> Mapping[str, Any]:
        def make() -> Experiment:
            template = self._template(fields["experimentTemplateId"])
            if sum(e.is_live for e in self._experiments.values()) >= MOST_ACTIVE:
                raise QuotaExceeded(f"There are {MOST_ACTIVE} active experiments; that is the limit.")
            made = identity("EXP")
            experiment = Experiment(
                made,
                self._arn("experiment", made),
                template.id,
                self._layout.account_id,
                template.said,
                (fields.get("experimentOptions") or {}).get("actionsMode", "run-all"),
                dict(fields.get("tags") or {}),
                actions={name: ActionState() for name in template.said["actions"]},
            )
            self._experiments[made] = experiment
            if self._lever["status"] == "engaged":
                experiment.cancel_actions()
                experiment.to("cancelled", "Experiment was cancelled by an engaged safety lever.")
            else:
                self._run(experiment)
            return experiment

        return {"experiment": self._once("experiment", fields, make, self._experiments).described()}

    def _run(self, experiment: Experiment) -> None:
        caller = Caller(self._layout, self._region, experiment.said["roleArn"], self._gate, self._events, experiment.id)
        course = Course(experiment, caller, self._events, self._emit, self._paused)
        task = asyncio.get_running_loop().create_task(course.run(), name=experiment.id)
        self._courses[experiment.id] = course, task
        task.add_done_callback(lambda _: self._courses.pop(experiment.id, None))

    def _get_experiment(self, fields: Fields) -> Mapping[str, Any]:
        return {"experiment": self._experiment(fields["id"]).described()}

    def _list_experiments(self, fields: Fields) -> Mapping[str, Any]:
        template = fields.get("experimentTemplateId")
        found = [e.summary() for e in self._experiments.values() if template in (None, e.template_id)]
        return _page(fields, "experiments", found)

    def _stop_experiment(self, fields: Fields) -> Mapping[str, Any]:
        experiment = self._experiment(fields["id"])
        if experiment.id in self._courses:
            self._courses[experiment.id][0].stop("Experiment was stopped by StopExperiment.")
        elif not experiment.is_live:
            raise Invalid(f"Experiment {experiment.id} is {experiment.status} and cannot be stopped.")
        return {"experiment": experiment.described()}

    def _list_experiment_resolved_targets(self, fields: Fields) -> Mapping[str, Any]:
        experiment = self._experiment(fields["experimentId"])
        wanted = fields.get("targetName")
        if wanted is not None and wanted not in (experiment.said.get("targets") or {}):
            raise NotFound(f"Target {wanted} of experiment {experiment.id} does not exist.")
        resolved = [
            {
                "resourceType": experiment.said["targets"][name]["resourceType"],
                "targetName": name,
                "targetInformation": {"arn": resource.arn},
            }
            for name, found in experiment.resolved.items()
            if wanted in (None, name)
            for resource in found
        ]
        return _page(fields, "resolvedTargets", resolved)

    # safety lever

    def _get_safety_lever(self, fields: Fields) -> Mapping[str, Any]:
        self._require_lever(fields["id"])
        return {"safetyLever": {"id": LEVER, "arn": self._arn("safety-lever", LEVER), "state": dict(self._lever)}}

    def _update_safety_lever_state(self, fields: Fields) -> Mapping[str, Any]:
        self._require_lever(fields["id"])
        wanted = fields["state"]
        if wanted["status"] == self._lever["status"] and wanted["reason"] != self._lever["reason"]:
            raise Conflict(f"The safety lever is {wanted['status']} already; its reason changes only with its status.")
        self._lever = {"status": wanted["status"], "reason": wanted["reason"]}
        if wanted["status"] == "engaged":
            self.stop_all("Experiment was stopped by an engaged safety lever.")
        return self._get_safety_lever(fields)

    def _require_lever(self, lever: str) -> None:
        if lever != LEVER:
            raise NotFound(f"Safety lever {lever} does not exist.")

    # catalogue

    def _list_actions(self, fields: Fields) -> Mapping[str, Any]:
        said = [catalogue.summary_of(a, self._region, self._layout.account_id) for a in catalogue.ACTIONS.values()]
        return _page(fields, "actions", sorted(said, key=lambda a: str(a["id"])))

    def _get_action(self, fields: Fields) -> Mapping[str, Any]:
        found = catalogue.action(fields["id"])
        return {"action": catalogue.description_of(found, self._region, self._layout.account_id)}

    def _list_target_resource_types(self, fields: Fields) -> Mapping[str, Any]:
        said = [{"resourceType": name, "description": t.description} for name, t in sorted(TARGET_TYPES.items())]
        return _page(fields, "targetResourceTypes", said)

    def _get_target_resource_type(self, fields: Fields) -> Mapping[str, Any]:
        return {"targetResourceType": catalogue.target_type_of(fields["resourceType"])}

    # tags

    def _tag_resource(self, fields: Fields) -> Mapping[str, Any]:
        tags = self._tags_of(fields["resourceArn"])
        if len(tags | fields["tags"]) > templates.MOST_TAGS:
            raise Invalid(f"{fields['resourceArn']} would have more than {templates.MOST_TAGS} tags.")
        tags.update(fields["tags"])
        return {}

    def _untag_resource(self, fields: Fields) -> Mapping[str, Any]:
        tags = self._tags_of(fields["resourceArn"])
        for key in fields.get("tagKeys") or ():
            tags.pop(key, None)
        return {}

    def _list_tags_for_resource(self, fields: Fields) -> Mapping[str, Any]:
        return {"tags": self._tags_of(fields["resourceArn"])}

    def _tags_of(self, arn: str) -> dict[str, str]:
        all_held: list[Template | Experiment] = [*self._templates.values(), *self._experiments.values()]
        for held in all_held:
            if held.arn == arn:
                return held.tags
        raise NotFound(f"Resource {arn} does not exist.")

    # common

    def _once(self, kind: str, fields: Fields, make: Callable[[], T], held: Mapping[str, T]) -> T:
        """Make something, or find what the same token made before; Conflict where the token came with other input."""
        token = kind, fields["clientToken"]
        if token in self._tokens:
            before, made = self._tokens[token]
            if before != fields:
                raise Conflict("The client token was used before with other parameters.")
            if made in held:
                return held[made]
        result = make()
        self._tokens[token] = fields, result.id
        return result

    def _template(self, template: str) -> Template:
        if template not in self._templates:
            raise NotFound(f"Experiment template {template} does not exist.")
        return self._templates[template]

    def _experiment(self, experiment: str) -> Experiment:
        if experiment not in self._experiments:
            raise NotFound(f"Experiment {experiment} does not exist.")
        return self._experiments[experiment]

    def _arn(self, kind: str, made: str) -> str:
        return f"arn:aws:fis:{self._region}:{self._layout.account_id}:{kind}/{made}"


def _page(fields: Fields, name: str, items: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """A page of a listing; the token of the next is where it begins."""
    listed = list(items)
    token = str(fields.get("nextToken", "0"))
    if not token.isdecimal() or int(token) > len(listed):
        raise Invalid("The next token is not one that this operation gave.")
    begin = int(token)
    end = begin + int(fields.get("maxResults", 100))
    return {name: listed[begin:end], **({"nextToken": str(end)} if end < len(listed) else {})}
