"""Who does what in the account: a boto3 session a duty and region, of the credentials themselves or of a role of its own.

A role is assumed in the region whose clients use it, so that a region's loss takes no other's credentials away, and its session
is named after the run, which CloudTrail shows. It is assumed for as long as the options say; its end ends a drill in time to
heal, and whoever heals or removes assumes it anew.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.exceptions
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from drill.unusable import UnusableInput
from infra_fixtures.global_services import GLOBAL, GLOBAL_SERVICES
from infra_fixtures.targets.aws.options import REGIONS, Settings
from infra_fixtures.targets.clients import CONFIG

NAME_LIMIT = 64
"""https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html"""
CHANGING = Config(
    connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 10}, max_pool_connections=20
)
"""For making and removing: AWS throttles some of it to a call in 30 s
(https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html)."""
DRILLING = Config(
    connect_timeout=2, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 2}, max_pool_connections=20
)
"""For breaking and looking: what is done later than it seems measures nothing."""
NOT_ASSUMED = {
    "AccessDenied": "let its trust policy name these credentials",
    "ValidationError": "raise its MaxSessionDuration, or give fewer --aws-hours; a role that assumes a role has one hour",
    "ExpiredToken": "sign in again",
}


@dataclass(frozen=True, slots=True)
class Duty:
    """Clients of one duty; `ends` is when its sessions end, None where they are not a role's."""

    client: Callable[[str, str | None], Any]
    ends: dt.datetime | None
    close: Callable[[], None]


def base_session(settings: Settings) -> Any:
    """The session of the credentials that boto3 finds, or of the profile; raises UnusableInput."""
    try:
        return boto3.session.Session(profile_name=settings.profile)
    except botocore.exceptions.ProfileNotFound as e:
        raise UnusableInput(f"{e}: give an --aws-profile that there is") from e


def duty(settings: Settings, name: str, run_id: str, protect: Callable[[Any], None], config: Config = DRILLING) -> Duty:
    """The clients of one duty, each given to `protect` before it is used; raises UnusableInput where there is no such role."""
    base, arn = base_session(settings), settings.roles.get(name)
    if arn is None:
        sessions, ends = dict.fromkeys(REGIONS, base), None
    else:
        assumed = {region: _assumed(settings, base, arn, name, run_id, region) for region in REGIONS}
        sessions, ends = {r: s for r, (s, _) in assumed.items()}, min(end for _, end in assumed.values())
    made = _Made(sessions, settings.endpoints, protect, config if settings.emulator is None else CONFIG)
    return Duty(made.client, ends, made.close)


class _Made:
    """One client for each question; threads may share it."""

    def __init__(
        self, sessions: Mapping[str, Any], endpoints: Mapping[str, str], protect: Callable[[Any], None], config: Config
    ) -> None:
        self._sessions = sessions
        self._endpoints = endpoints
        self._protect = protect
        self._config = config
        self._clients: dict[tuple[str, str], Any] = {}
        self._making = threading.Lock()

    def client(self, service: str, region: str | None = None) -> Any:
        """A global service's is of the standby's session: it is asked while the primary is lost."""
        place = GLOBAL if region is None or service in GLOBAL_SERVICES else region
        with self._making:  # making clients is not thread-safe in boto3
            if (service, place) not in self._clients:
                session = self._sessions[REGIONS[1] if place == GLOBAL else place]
                made = session.client(
                    service,
                    region_name=REGIONS[0] if place == GLOBAL else place,
                    endpoint_url=self._endpoints.get(place),
                    config=self._config,
                )
                self._protect(made)
                self._clients[service, place] = made
            return self._clients[service, place]

    def close(self) -> None:
        """Close every connection."""
        with self._making:
            made, self._clients = self._clients, {}
        for client in made.values():
            client.close()


def _assumed(settings: Settings, base: Any, arn: str, name: str, run_id: str, region: str) -> tuple[Any, dt.datetime]:
    session_name = re.sub(r"[^\w+=,.@-]", "-", f"drill-{run_id}-{name}")[:NAME_LIMIT]
    sts = base.client("sts", region_name=region, endpoint_url=settings.endpoints.get(region), config=DRILLING)
    try:
        answer = sts.assume_role(
            RoleArn=arn, RoleSessionName=session_name, DurationSeconds=round(settings.hours * 3600)
        )["Credentials"]
    except ClientError as e:
        mend = NOT_ASSUMED.get(str(e.response["Error"]["Code"]), "see to the role")
        raise UnusableInput(f"--aws-{name}-role {arn} cannot be assumed for {settings.hours:g} h ({e}): {mend}") from e
    except BotoCoreError as e:
        raise UnusableInput(f"--aws-{name}-role {arn} cannot be assumed ({e}): mend that and try again") from e
    finally:
        sts.close()
    session = boto3.session.Session(
        aws_access_key_id=answer["AccessKeyId"],
        aws_secret_access_key=answer["SecretAccessKey"],
        aws_session_token=answer["SessionToken"],
    )
    return session, answer["Expiration"].astimezone(dt.UTC)
