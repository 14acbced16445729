"""The AWS account of an attached system: who may change what there, and clients under that."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from infra_fixtures.safety.caller import Asking, caller_of, open_session
from infra_fixtures.safety.guard import Guard
from infra_fixtures.safety.journal import Header
from infra_fixtures.safety.lock_place import LockPlace
from infra_fixtures.targets.attach.aws_parts import Aws
from infra_fixtures.targets.permission import Permission, healing_guard, permission

Protect = Callable[[Any], None]
"""Puts a boto3 session or client under a guard, and notes its calls."""


def permitted(run: Header, aws: Aws, lasts_s: float = 0.0) -> Permission:
    """What a run may do in it; raises UnusableInput."""
    return permission(run, open_session(), aws.endpoints, lasts_s=lasts_s)


def healing(run: Header, aws: Aws) -> tuple[Guard, Protect]:
    """The guard of whoever heals."""
    guard, log = healing_guard(run, open_session(), aws.endpoints)

    def protect(holder: Any) -> None:
        guard.protect(holder)
        log.watch(holder)

    return guard, protect


def clients(aws: Aws, protect: Protect) -> Asking:
    """Clients of a session of their own, every one protected."""
    session = open_session()
    protect(session)
    return Asking(session, aws.endpoints)


def client_at(asking: Asking, service: str, region: str, url: str) -> Any:
    """A client of the same session, and so under the same guard, at a URL of its own."""
    return dataclasses.replace(asking, endpoints={region: url}, _made={}).new(service, region)


def lock_place(run: Header, aws: Aws, standby: str) -> LockPlace:
    """The lock of a dead run, for whoever heals it: in the standby's region, which no drill takes away."""
    asking = Asking(open_session(), aws.endpoints)
    s3 = asking.new("s3", standby)
    place = LockPlace(s3, caller_of(asking, standby).account, run.target)
    guard, log = healing_guard(run, open_session(), aws.endpoints, owned={place.bucket})
    guard.protect(s3)
    log.watch(s3)
    return place
