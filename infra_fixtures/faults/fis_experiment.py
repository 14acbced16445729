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
from typing import Any, ClassVar

from drill.unusable import UnusableInput
from infra_fixtures.faults.fault import PRIMARY, Fault, Injection, region_of
from infra_fixtures.fis.effect import Effect
from infra_fixtures.fis.experiment import await_harm, refuse_empty, refuse_engaged, refuse_late, uses
from infra_fixtures.fis.following import FollowedExperiment
from infra_fixtures.fis.making import Maker
from infra_fixtures.fis.permissions import permissions
from infra_fixtures.fis.template_file import Substitution, filled_in, read_template, refuse_what_aws_would
from infra_fixtures.fis.undoing import back_as_before, delete_role, delete_templates_of_part, stop_of_part
from infra_fixtures.powers import Instant
from infra_fixtures.provision.naming import PART_TAG, RUN_TAG, Names
from infra_fixtures.safety.undo import Learn
from infra_fixtures.targets.world import World


class FisExperiment(Fault, frozen=True):
    """Run an experiment of AWS FIS in `region`; healing stops it, and waits until FIS has undone what it did.

    Of a `template` that is there, by its id, or of a `template_file`, the JSON that AWS's CLI takes, of which a template is
    made and deleted again. `substitute` fills in the file's words. `role` (a name or an ARN) is used instead of its roleArn;
    where there is neither, a role is made that is allowed just its actions. A target without resources is refused, unless
    `allow_empty_targets`.
    """

    not_in_fis: ClassVar[str] = "it is an experiment of FIS already"
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
        self._template(world, region, "made-for-it")
        refuse_engaged(_fis(world, region), region)

    def prepare(self, world: World) -> Injection:
        """Read the template, ask whether experiments are allowed."""
        region, part = region_of(world, self.region), f"fis-{secrets.token_hex(4)}"
        role = Names(world.run_id).of(part)
        fis, template, makes_role = _fis(world, region), *self._template(world, region, role)
        refuse_engaged(fis, region)
        actions, followed = template["actions"], FollowedExperiment()
        own = {k: v for k, v in template.get("tags", {}).items() if not k.startswith("aws:")}
        tags = {**own, RUN_TAG: world.run_id, PART_TAG: part}
        maker = Maker(world.client, region, tags, role if makes_role else "")
        undo = stop_of_part(region, part)
        undo += [delete_templates_of_part(region, part)] if self.template_file else []
        undo += [delete_role(region, part, role)] if makes_role else []

        def act(learn: Learn) -> Instant:
            identity = self.template or maker.make_template(template, learn)
            resolved = maker.preview(identity, learn)
            refuse_empty({} if self.allow_empty_targets else uses(actions), resolved, self._source)
            effect = Effect(world.client("ec2", region), actions, resolved)
            s3 = world.client("s3", region)
            learn(*stop_of_part(region, part), *back_as_before(s3, region, actions, resolved, effect))
            began_ns = time.monotonic_ns()
            state, seen_ns = await_harm(fis, maker.start(identity, learn))
            followed.begun(fis, state, seen_ns, resolved)
            return Instant(began_ns, effect.await_it(state, seen_ns))

        return Injection(f"{region}/{self.template or Path(self.template_file).stem}", undo, act, followed)

    @property
    def _source(self) -> str:
        return self.template_file or f"the FIS template {self.template}"

    def _template(self, world: World, region: str, role: str) -> tuple[Mapping[str, Any], bool]:
        """Parameters of CreateExperimentTemplate, or the template as it is in FIS; and whether that role has to be made."""
        if self.template:
            fis = _fis(world, region)
            try:
                found: Mapping[str, Any] = fis.get_experiment_template(id=self.template)["experimentTemplate"]
            except fis.exceptions.ResourceNotFoundException:
                raise UnusableInput(f"{region} has no FIS template {self.template}: give the id of one") from None
            makes_role = False
        else:
            found, makes_role = self._of_file(world, region, role)
        refuse_late(found["actions"], self._source)
        return found, makes_role

    def _of_file(self, world: World, region: str, role: str) -> tuple[Mapping[str, Any], bool]:
        read = read_template(Path(self.template_file))
        account = str(world.client("sts", region).get_caller_identity()["Account"])
        words = {
            "{account}": account,
            "{region}": region,
            "{primary}": world.primary,
            "{standby}": world.standby,
            "{run_id}": world.run_id,
        }
        makes_role = not self.role and "roleArn" not in read
        if self.role or makes_role:
            name = self.role or role
            read["roleArn"] = name if name.startswith("arn:") else f"arn:aws:iam::{account}:role/{name}"
        found: Mapping[str, Any] = filled_in(read, {s.text: filled_in(s.by, words) for s in self.substitute})
        refuse_what_aws_would(found, self._source)
        if makes_role:
            permissions(found, account, region)
        return found, makes_role


def _fis(world: World, region: str) -> Any:
    client = world.client("fis", region)
    if client is None:
        raise UnusableInput(f"the target {world.target} has no AWS API, and so no FIS: play this on one that has")
    return client
