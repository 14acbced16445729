"""Every call of the AWS API that this process makes, with the role that makes it, told by the part of the harness it is in."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from botocore.client import BaseClient

from infra_fixtures.permissions.calls import Call, Request, Role
from infra_fixtures.permissions.known import Known
from infra_fixtures.permissions.needs import Needs
from infra_fixtures.permissions.requests import requests
from infra_fixtures.permissions.scopes import scope_of
from infra_fixtures.provision.naming import RUN_TAG
from infra_fixtures.safety.aws_operations import changes

ACCOUNT = "123456789012"
NAME = "drill-*"

PARTS: tuple[tuple[str, Role | None], ...] = (
    ("infra_fixtures.safety.guard", None),
    ("infra_fixtures.safety.touched", None),
    ("infra_fixtures.safety.stop_conditions", Role.OBSERVER),
    ("infra_fixtures.safety", Role.BREAKER),
    ("infra_fixtures.faults", Role.BREAKER),
    ("infra_fixtures.targets.roles", Role.BREAKER),
    ("infra_fixtures.provision", Role.PROVISIONER),
    ("infra_fixtures.preflight", Role.OBSERVER),
    ("infra_fixtures.targets", Role.OBSERVER),
    ("infra_fixtures.usage", Role.OBSERVER),
    ("probes", Role.OBSERVER),
    ("gameday", Role.OBSERVER),
)
"""The first that a module is in says whose a call is; None: whoever made the call that is judged there."""


@dataclass(frozen=True, slots=True)
class Made:
    """A call that was made, whose it was, and what IAM would have been asked, with what was known then."""

    role: Role
    call: Call
    requests: tuple[Request, ...]


@dataclass(slots=True)
class Recording:
    """The calls in their order; threads may share it."""

    made: list[Made] = field(default_factory=list)
    known: Known = field(default_factory=Known)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _sessions: dict[str, Role] = field(default_factory=dict)
    """Whose a session is that was assumed, by its access key."""

    def before(self, call: Call, client: Any) -> None:
        """A call is about to be made by whoever calls this: a role that was assumed, or the part of the harness that it is in.

        Where reading and changing have credentials of their own, what a breaker reads is the observer's.
        """
        with self._lock:
            roles: tuple[Role, ...]
            if self._sessions:
                own = self._sessions.get(client._request_signer._credentials.access_key)
                roles = () if own is None else (own,)
            else:
                role = _role()
                reads = role is Role.BREAKER and not changes(client.meta.service_model.operation_model(call.operation))
                roles = (role, Role.OBSERVER) if reads else (role,)
            asked = tuple(requests(call, ACCOUNT, self.known)) if roles else ()
            self.made += [Made(role, call, asked) for role in roles]

    def after(self, call: Call, answer: Mapping[str, Any]) -> None:
        """It was answered."""
        with self._lock:
            self.known.note(call, answer)
            if call.operation == "AssumeRole":
                role = Role(str(call.parameters["RoleArn"]).rpartition("/")[2])
                self._sessions[answer["Credentials"]["AccessKeyId"]] = role

    def needs(self) -> Needs:
        """What the roles needed for it."""
        found: dict[Role, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for one in self.made:
            for request in one.requests:
                found[one.role][request.action].add(scope_of(request, name=NAME, tag=RUN_TAG).name)
        return {role: {a: frozenset(s) for a, s in own.items()} for role, own in found.items()}


@contextlib.contextmanager
def recording() -> Iterator[Recording]:
    """Record every call of this process for as long as this lasts."""
    found, original = Recording(), BaseClient._make_api_call

    def recorded(client: Any, operation_name: str, api_params: Mapping[str, Any]) -> Any:
        call = Call(client.meta.service_model.service_name, operation_name, client.meta.region_name, api_params)
        found.before(call, client)
        answer = original(client, operation_name, api_params)
        found.after(call, answer)
        return answer

    BaseClient._make_api_call = recorded
    try:
        yield found
    finally:
        BaseClient._make_api_call = original


_acting: ContextVar[Role | None] = ContextVar("acting", default=None)


@contextlib.contextmanager
def acting_as(role: Role) -> Iterator[None]:
    """Calls of this thread are that role's."""
    token = _acting.set(role)
    try:
        yield
    finally:
        _acting.reset(token)


def _role() -> Role:
    if (told := _acting.get()) is not None:
        return told
    frame = sys._getframe()
    seen = []
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        seen.append(module)
        for prefix, role in PARTS:
            if module == prefix or module.startswith(f"{prefix}."):
                if role is None:
                    break
                return role
        frame = frame.f_back  # type: ignore[assignment]
    raise AssertionError(f"no part of the harness is known to have made this call: {seen[:12]}")


def joined(*parts: Needs) -> Needs:
    """What is needed for all of them."""
    whole: dict[Role, dict[str, frozenset[str]]] = {role: {} for role in Role}
    for part in parts:
        for role, own in part.items():
            for action, scopes in own.items():
                whole[role][action] = whole[role].get(action, frozenset()) | scopes
    return whole
