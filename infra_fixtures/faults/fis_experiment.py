"""An experiment of AWS Fault Injection Service is the fault: FIS breaks, and this drill measures what came of it.

An experiment that completed proves nothing by itself: an action that found no target is skipped, and the experiment is
completed all the same (https://docs.aws.amazon.com/fis/latest/userguide/experiment-options.html). So targets are resolved
first by an experiment that runs no action, and each action's own end is looked at.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drill.unusable import UnusableInput
from infra_fixtures.faults.fault import PRIMARY, Fault, Injection, Learn, region_of
from infra_fixtures.fis.experiment import (
    State,
    await_harm,
    await_preview,
    refuse_empty,
    refuse_engaged,
    refuse_late,
    targets_of,
    uses,
)
from infra_fixtures.fis.following import FollowedExperiment
from infra_fixtures.fis.template_file import Substitution, filled_in, read_template, refuse_what_aws_would
from infra_fixtures.fis.undoing import (
    back_as_before,
    delete_template,
    delete_templates_of_part,
    stop_of_part,
    stop_one,
)
from infra_fixtures.powers import Instant
from infra_fixtures.provision.naming import PART_TAG, RUN_TAG
from infra_fixtures.safety.undo import Undo
from infra_fixtures.targets.world import World


class FisExperiment(Fault, frozen=True):
    """Run an experiment of AWS FIS in `region`; healing stops it, and waits until FIS has undone what it did.

    Of a `template` that is there, by its id, or of a `template_file`, the JSON that AWS's CLI takes, of which a template is
    made and deleted again; `substitute` fills in its words, `role` (a name or an ARN) is used instead of its own.
    A target that resolves to no resource is refused, unless `allow_empty_targets`.
    """

    template: str = ""
    template_file: str = ""
    substitute: tuple[Substitution, ...] = ()
    role: str = ""
    region: str = PRIMARY
    allow_empty_targets: bool = False

    def __post_init__(self) -> None:
        """Refuse what names no template, or two."""
        if bool(self.template) == bool(self.template_file):
            raise ValueError("it needs either template, the id of one in AWS FIS, or template_file, a file with one")
        if self.template and (self.substitute or self.role):
            raise ValueError(
                "substitute and role fill in a template_file: a template that is in AWS FIS stays as it is"
            )

    def check(self, world: World) -> None:
        """The template is there and understood, its actions begin at once, and experiments are allowed."""
        region = region_of(world, self.region)
        self._template(world, region)
        refuse_engaged(_fis(world, region), region)

    def prepare(self, world: World) -> Injection:
        """Read the template, ask whether experiments are allowed."""
        region = region_of(world, self.region)
        fis, template = _fis(world, region), self._template(world, region)
        refuse_engaged(fis, region)
        part, followed = f"fis-{secrets.token_hex(4)}", FollowedExperiment()
        run = _Run(world, region, fis, {RUN_TAG: world.run_id, PART_TAG: part}, template["actions"])
        undo = stop_of_part(region, part)
        if self.template_file:
            undo.append(delete_templates_of_part(region, part))

        def act(learn: Learn) -> Instant:
            identity = self.template or run.make_template(template, learn)
            resolved = run.preview(identity, learn)
            used = {} if self.allow_empty_targets else uses(template["actions"])
            refuse_empty(used, resolved, self._source)
            learn(*stop_of_part(region, part), *back_as_before(world.client, region, template["actions"], resolved))
            began_ns = time.monotonic_ns()
            state, effective_ns = await_harm(fis, run.start(identity, learn))
            followed.begun(fis, state, resolved)
            return Instant(began_ns, effective_ns)

        return Injection(f"{region}/{self.template or Path(self.template_file).stem}", undo, act, followed)

    @property
    def _source(self) -> str:
        return self.template_file or f"the FIS template {self.template}"

    def _template(self, world: World, region: str) -> Mapping[str, Any]:
        """Parameters of CreateExperimentTemplate, or the template as it is in FIS."""
        if self.template:
            fis = _fis(world, region)
            try:
                found: Mapping[str, Any] = fis.get_experiment_template(id=self.template)["experimentTemplate"]
            except fis.exceptions.ResourceNotFoundException:
                raise UnusableInput(f"{region} has no FIS template {self.template}: give the id of one") from None
        else:
            read = read_template(Path(self.template_file))
            words = _words(world, region, self.role)
            read |= {"roleArn": words["{role}"]} if self.role else {}
            found = filled_in(read, {s.text: _with(words, s.by) for s in self.substitute})
            refuse_what_aws_would(found, self._source)
        refuse_late(found["actions"], self._source)
        return found


class _Run:
    """What one injection makes in FIS; each id is journalled before the next call."""

    def __init__(
        self, world: World, region: str, fis: Any, tags: Mapping[str, str], actions: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._world, self._region, self._fis = world, region, fis
        self._tags, self._actions = dict(tags), actions

    def make_template(self, template: Mapping[str, Any], learn: Learn) -> str:
        """A template of the file, tagged beside its own tags."""
        tags = {**template.get("tags", {}), **self._tags}
        made = self._fis.create_experiment_template(**{**template, "tags": tags})["experimentTemplate"]
        learn(delete_template(self._region, made["id"]))
        return str(made["id"])

    def preview(self, template: str, learn: Learn) -> dict[str, list[str]]:
        """What its targets resolve to; UnusableInput where FIS cannot resolve them."""
        started = self._started(template, learn, "skip-all")
        state = await_preview(self._fis, started)
        if state.status != "completed":
            raise UnusableInput(f"FIS could not resolve the targets of {template}: {state}")
        return targets_of(self._fis, started)

    def start(self, template: str, learn: Learn) -> str:
        """The experiment's id."""
        return self._started(template, learn, "run-all")

    def _started(self, template: str, learn: Learn, mode: str) -> str:
        told = self._fis.start_experiment(
            experimentTemplateId=template, experimentOptions={"actionsMode": mode}, tags=self._tags
        )
        experiment = State.of(told["experiment"]).id
        undo: list[Undo] = stop_one(self._region, experiment)
        learn(*undo)
        return experiment


def _fis(world: World, region: str) -> Any:
    client = world.client("fis", region)
    if client is None:
        raise UnusableInput(f"the target {world.target} has no AWS API, and so no FIS: play this on one that has")
    return client


def _words(world: World, region: str, role: str) -> dict[str, str]:
    """What {words} of a substitution stand for."""
    account = str(world.client("sts", region).get_caller_identity()["Account"])
    return {
        "{account}": account,
        "{region}": region,
        "{primary}": world.primary,
        "{standby}": world.standby,
        "{run_id}": world.run_id,
        "{role}": role if role.startswith("arn:") else f"arn:aws:iam::{account}:role/{role}",
    }


def _with(words: Mapping[str, str], text: str) -> str:
    for word, by in words.items():
        text = text.replace(word, by)
    return text
