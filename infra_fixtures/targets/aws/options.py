"""What the aws target can be told on the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from drill.unusable import UnusableInput
from infra_fixtures.global_services import GLOBAL
from infra_fixtures.targets.guard_options import GUARD_OPTIONS
from infra_fixtures.targets.target_config import Option

REGIONS = ("us-east-1", "us-west-2")
"""The primary and the standby."""
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
NAME = re.compile(r"[a-z][a-z0-9]{0,19}")
"""Without a hyphen: no name of a deployment begins the names of another's resources."""
DUTIES = ("provisioner", "breaker", "observer")
HOURS = 3.0

OPTIONS = (
    *GUARD_OPTIONS,
    Option("--aws-profile", "aws: the profile whose credentials are used (default: as boto3 finds them)"),
    *(
        Option(f"--aws-{duty}-role", f"aws: the ARN of the role that {does} (default: the credentials themselves)")
        for duty, does in zip(DUTIES, ("makes and removes the system", "breaks it", "looks at it"), strict=True)
    ),
    Option("--aws-hours", f"aws: how many hours the roles' sessions must last (default {HOURS:g})"),
    Option("--aws-zone", "aws: the id of a public hosted zone that is delegated to Route 53; the system's name is made in it"),
    Option(
        "--aws-deployment",
        "aws: the name of a system that stays: made where it is not there, gone on with where it is half made, and removed "
        "by `down` alone (default: one of the run's own, which goes with it)",
    ),
    Option("--aws-engine-version", "aws: the version of Aurora PostgreSQL (default: the topology's)"),
    Option(
        "--aws-endpoint",
        f"aws: an emulator's AWS API, as REGION=URL; one for each region and one for {GLOBAL}",
        many=True,
    ),
    Option("--aws-name-server", "aws: the emulator's name server, as HOST:PORT"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Emulator:
    """Another than AWS that answers: URLs by region and GLOBAL, and its name server."""

    urls: Mapping[str, str]
    name_server: tuple[str, int]


@dataclass(frozen=True, slots=True)
class Settings:
    """The options, read; `roles` by duty, of those that were given."""

    profile: str | None
    roles: Mapping[str, str]
    hours: float
    zone_id: str
    deployment: str
    engine_version: str
    emulator: Emulator | None

    @property
    def endpoints(self) -> Mapping[str, str]:
        """URLs by region and GLOBAL; none where it is AWS."""
        return {} if self.emulator is None else self.emulator.urls

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Settings:
        """Take what was given; raises UnusableInput."""
        roles = {duty: str(arn) for duty in DUTIES if (arn := options.get(f"aws_{duty}_role"))}
        for duty, arn in roles.items():
            if not ROLE.fullmatch(arn):
                raise UnusableInput(
                    f"--aws-{duty}-role {arn} is no role: give such as arn:aws:iam::123456789012:role/drill"
                )
        emulator, zone = _emulator(options), str(options.get("aws_zone") or "").rpartition("/")[2]
        if emulator is None and not zone:
            raise UnusableInput(
                "--aws-zone is missing: give the id of a public hosted zone that is delegated to Route 53, as nobody finds the "
                "system, and ACM issues it no certificate, in a zone that nobody is led to"
            )
        deployment = str(options.get("aws_deployment") or "")
        if deployment and not NAME.fullmatch(deployment):
            raise UnusableInput(
                f"--aws-deployment {deployment} cannot name AWS resources: use at most 20 small letters and digits, a letter "
                "first"
            )
        return cls(
            profile=options.get("aws_profile") or None,
            roles=roles,
            hours=_hours(options.get("aws_hours")),
            zone_id=zone,
            deployment=deployment,
            engine_version=str(options.get("aws_engine_version") or ""),
            emulator=emulator,
        )


def _hours(given: Any) -> float:
    """A session of a role lasts 15 minutes to 12 hours
    (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html)."""
    try:
        hours = HOURS if given in (None, "") else float(given)
    except ValueError:
        hours = 0.0
    if not 0.25 <= hours <= 12.0:
        raise UnusableInput(f"--aws-hours {given} is no length of a session: give 0.25 to 12")
    return hours


def _emulator(options: Mapping[str, Any]) -> Emulator | None:
    given, server = options.get("aws_endpoint") or (), str(options.get("aws_name_server") or "")
    if not given and not server:
        return None
    urls = dict(_endpoint(str(text)) for text in given)
    if missing := [where for where in (*REGIONS, GLOBAL) if where not in urls]:
        raise UnusableInput(f"--aws-endpoint says nothing for {', '.join(missing)}: give {missing[0]}=URL too")
    host, _, port = server.rpartition(":")
    if not host or not port.isdecimal():
        raise UnusableInput(f"--aws-name-server {server or 'is missing and'} is not HOST:PORT: give the emulator's")
    return Emulator(urls, (host, int(port)))


def _endpoint(text: str) -> tuple[str, str]:
    where, _, url = text.partition("=")
    if where not in (*REGIONS, GLOBAL) or urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise UnusableInput(
            f"--aws-endpoint {text} is not REGION=URL: REGION is one of {', '.join((*REGIONS, GLOBAL))}, URL begins with http"
        )
    return where, url.rstrip("/")
