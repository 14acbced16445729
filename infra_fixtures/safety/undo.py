"""How a fault is undone, as data that any process can perform: an AWS API call, or one struct for each power.

Every undo tolerates that things are already as they should be: an AWS call names the error codes that mean so.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol, TypeVar

import jmespath
import msgspec
from botocore.exceptions import ClientError

from drill.wait import WaitTimeout, wait_until
from infra_fixtures.powers import (
    EndpointPower,
    Instant,
    LinkName,
    LinkPower,
    ProcessPower,
    RegionPower,
    Role,
    RolesPower,
)
from infra_fixtures.safety.arc import execute_plan, set_states
from infra_fixtures.safety.bounded_command import run_bounded
from infra_fixtures.safety.operator_prompt import ask

P = TypeVar("P")
UNTIL_EVERY_S = 0.5
MOST_SHOWN = 500


class Healer(Protocol):
    """Who undoes: it gives AWS clients, and has the target's powers. A world is one; so is what heals a dead run."""

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client; None where the AWS API itself is gone, and all state that it held with it."""

    def healing(self) -> AbstractContextManager[None]:
        """What is done in here is undone: the guard lets it through although no window is open, or nobody confirmed."""


class Powerless(Exception):
    """The healer lacks the power that an undo needs; the message names it."""


class AwsCall(msgspec.Struct, frozen=True, tag="aws"):
    """An AWS API call: boto3's service, region (None: a global service), operation (snake case) and parameters.

    `settled_by` are the error codes that mean that all is as it should be already.
    """

    service: str
    region: str | None
    operation: str
    parameters: dict[str, Any] = {}
    settled_by: tuple[str, ...] = ()

    def perform(self, healer: Healer) -> None:
        """Make the call; raises what AWS refuses it with."""
        _call(healer, self, {})


class AwsCallForEach(msgspec.Struct, frozen=True, tag="aws_for_each"):
    """An AWS API call for each thing that another call finds: what was made can be undone though its id was never learnt.

    `found` is a JMESPath expression into the answer of `find`, a list of parameters that are added to those of `call`.
    """

    find: AwsCall
    found: str
    call: AwsCall

    def perform(self, healer: Healer) -> None:
        """Look, then call for each."""
        answer = _call(healer, self.find, {})
        for parameters in jmespath.search(self.found, answer) or ():
            _call(healer, self.call, parameters)


class AwsUntil(msgspec.Struct, frozen=True, tag="aws_until"):
    """Reading the AWS API until it says that all is as it should be: of what AWS itself takes time to undo, or should have.

    `found` is a JMESPath expression into the answer of `read`, true once it is so. Raises WaitTimeout after `timeout_s`
    seconds: what AWS did not give back is not healed.
    """

    read: AwsCall
    found: str
    what: str
    timeout_s: float = 0.0

    def perform(self, healer: Healer) -> None:
        """Returns when it is so."""
        if healer.client(self.read.service, self.read.region) is None:
            return  # as for a call: it went with the API that held it
        answers: list[Any] = []

        def is_so() -> bool:
            answers[:] = [_call(healer, self.read, {})]
            return bool(jmespath.search(self.found, answers[0]))

        try:
            wait_until(is_so, what=self.what, timeout_s=self.timeout_s, every_s=UNTIL_EVERY_S)
        except WaitTimeout as e:
            raise WaitTimeout(f"{e}; {self.read.operation} answers {str(answers[0])[:MOST_SHOWN]}") from None


class AwsInTurn(msgspec.Struct, frozen=True, tag="aws_in_turn"):
    """One after the other; once one fails the rest is not tried, which needs it: elsewhere every undo is."""

    steps: tuple[AwsCall | AwsCallForEach | AwsUntil, ...]

    def perform(self, healer: Healer) -> None:
        """Raises what the first that fails raises."""
        for step in self.steps:
            step.perform(healer)


class RestoreRegion(msgspec.Struct, frozen=True, tag="restore_region"):
    """Give a lost region back."""

    region: str

    def perform(self, healer: Healer) -> None:
        """Returns when it serves again."""
        power(healer, RegionPower).restore_region(self.region)


class RestoreProcesses(msgspec.Struct, frozen=True, tag="restore_processes"):
    """Start or thaw a region's processes of one role."""

    region: str
    role: Role
    az: str | None = None

    def perform(self, healer: Healer) -> None:
        """Returns when they serve again."""
        power(healer, ProcessPower).restore_processes(self.region, self.role, self.az)


class RemoveLinkRule(msgspec.Struct, frozen=True, tag="remove_link_rule"):
    """Take one rule off a link; others stay."""

    scope: str
    link: str
    rule_id: str

    def perform(self, healer: Healer) -> None:
        """In force at once."""
        power(healer, LinkPower).remove_link_rule(LinkName(self.scope, self.link), self.rule_id)


class ReturnToPrimary(msgspec.Struct, frozen=True, tag="return_to_primary"):
    """Give the regions their roles back."""

    gives_roles: ClassVar[bool] = True

    def perform(self, healer: Healer) -> None:
        """Returns when the primary's cluster is the writer."""
        power(healer, RolesPower).return_to_primary()


class RunCommand(msgspec.Struct, frozen=True, tag="command"):
    """Run a command of the owner of an attached system (`infra_fixtures.safety.bounded_command`).

    `environment` are names of variables, whose values whoever runs it must have; `records` is where its output is kept.
    """

    command: str | tuple[str, ...]
    timeout_s: float
    exits: tuple[int, ...] = (0,)
    environment: tuple[str, ...] = ()
    directory: str = ""
    records: str = ""
    gives_roles: bool = False

    def perform(self, healer: object) -> Instant:
        """Returns when it began and ended; raises CommandFailed."""
        return run_bounded(
            self.command,
            timeout_s=self.timeout_s,
            exits=self.exits,
            environment=self.environment,
            directory=self.directory,
            records=self.records,
        )


class AskOperator(msgspec.Struct, frozen=True, tag="operator"):
    """Have the person at the terminal do it, and say when (`infra_fixtures.safety.operator_prompt`)."""

    what: str
    effect: str
    timeout_s: float
    gives_roles: bool = False

    def perform(self, healer: object) -> Instant:
        """Returns when the person began and saw it take effect; raises NoOperator."""
        return ask(self.what, effect=self.effect, timeout_s=self.timeout_s)


class SetRoutingControls(msgspec.Struct, frozen=True, tag="routing_controls"):
    """Turn ARC routing controls, by ARN, "On" or "Off" (`infra_fixtures.safety.arc`); `endpoints` are the cluster's by region."""

    endpoints: dict[str, str]
    states: dict[str, str]
    gives_roles: bool = True

    def perform(self, healer: object) -> Instant:
        """At any endpoint; returns the instant of the call that did it."""
        return set_states(power(healer, EndpointPower).client_at, self.endpoints, self.states)


class ExecutePlan(msgspec.Struct, frozen=True, tag="region_switch"):
    """Execute an ARC Region-switch plan in `region` (`infra_fixtures.safety.arc`), and wait until it is completed."""

    plan: str
    region: str
    action: str
    mode: str
    timeout_s: float
    gives_roles: bool = True

    def perform(self, healer: Healer) -> Instant:
        """Returns when it is completed."""
        client = healer.client("arc-region-switch", self.region)
        return execute_plan(
            client, self.plan, self.region, action=self.action, mode=self.mode, timeout_s=self.timeout_s
        )


class Unreadable(msgspec.Struct, frozen=True, tag="unreadable"):
    """An undo that another version of the harness wrote, and this one does not know."""

    line: str

    def perform(self, healer: Healer) -> None:
        """Never: it must be done by the version that wrote it, or by hand."""
        raise ValueError("another version of the harness wrote this: heal with that one")


Undo = (
    AwsCall
    | AwsCallForEach
    | AwsUntil
    | AwsInTurn
    | RestoreRegion
    | RestoreProcesses
    | RemoveLinkRule
    | ReturnToPrimary
    | RunCommand
    | AskOperator
    | SetRoutingControls
    | ExecutePlan
    | Unreadable
)
Step = RunCommand | AskOperator
"""What its owner's description says is done to an attached system: to break it, to heal it, to move roles and give them back."""


class Learn(Protocol):
    """Journals undo that is known only now; on return it is on disk."""

    def __call__(self, *undo: Undo) -> None:
        """In this order, before what was journalled at first."""


def power(healer: object, kind: type[P]) -> P:
    """The healer as that power; raises Powerless."""
    if not isinstance(healer, kind):
        raise Powerless(f"{kind.__name__} is needed, which {type(healer).__name__} does not have")
    return healer


def _call(healer: Healer, step: AwsCall, more: dict[str, Any]) -> Any:
    client = healer.client(step.service, step.region)
    if client is None:
        return {}  # what was to be undone went with the API that held it
    if step.operation not in client.meta.method_to_api_mapping:
        raise ValueError(f"{step.service} has no operation {step.operation}")
    try:
        if client.can_paginate(step.operation):
            pages = client.get_paginator(step.operation).paginate(**step.parameters, **more)
            return pages.build_full_result()
        return getattr(client, step.operation)(**step.parameters, **more)
    except ClientError as e:
        if e.response["Error"]["Code"] in step.settled_by:
            return {}
        raise
