"""Who a run is in AWS, by the credentials that boto3 finds as it always does, until when, and clients for asking.

https://docs.aws.amazon.com/boto3/latest/guide/credentials.html has the order in which they are looked for.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

from drill.unusable import UnusableInput
from infra_fixtures import aws_models
from infra_fixtures.global_services import GLOBAL, GLOBAL_SERVICES

ASKING = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3})
ELSEWHERE = ASKING.merge(Config(s3={"addressing_style": "path"}))
"""An emulator has no host name for each bucket."""
LASTING = frozenset({"env", "shared-credentials-file", "config-file", "explicit", "boto-config"})
"""Where credentials are written down: nobody renews them. All others botocore renews by itself."""
EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
REJECTED = frozenset(
    {"InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException", "InvalidAccessKeyId"}
)


@dataclass(frozen=True, slots=True)
class Caller:
    """account: 12 digits. alias: of the account, "" where it has none or may not be read. arn: of the user or role.

    found_by: botocore's word for where the credentials stood. ends: when they end and nobody renews them; None where they
    do not, or it is not known: `lasts` says which.
    """

    account: str
    alias: str
    arn: str
    found_by: str
    ends: dt.datetime | None
    lasts: str


@dataclass(frozen=True)
class Asking:
    """A boto3 session, and clients of it that nobody guards.

    endpoints: URLs by region, and of GLOBAL for services that have none, where it is not AWS that is asked.
    """

    session: Any
    endpoints: Mapping[str, str] = field(default_factory=dict)
    _made: dict[tuple[str, str], Any] = field(default_factory=dict)
    _making: threading.Lock = field(default_factory=threading.Lock)

    def client(self, service: str, region: str | None = None) -> Any:
        """The client for a service of a region (None: a global service); the same one for the same question."""
        place = GLOBAL if region is None or service in GLOBAL_SERVICES else region
        with self._making:  # making clients is not thread-safe in boto3
            if (service, place) not in self._made:
                self._made[service, place] = self._new(service, place)
            return self._made[service, place]

    def new(self, service: str, region: str) -> Any:
        """A client that nobody else has."""
        with self._making:
            return self._new(service, region)

    def _new(self, service: str, place: str) -> Any:
        url = self.endpoints.get(place)
        return self.session.client(
            service,
            region_name="us-east-1" if place == GLOBAL else place,
            endpoint_url=url,
            config=ASKING if url is None else ELSEWHERE,
        )


def open_session() -> Any:
    """A new boto3 session, with the credentials of the ordinary chain; raises UnusableInput for a profile that is not there."""
    aws_models.read_fast()
    with _in_a_sentence():
        return boto3.session.Session()


def caller_of(asking: Asking, region: str) -> Caller:
    """Ask STS in that region who the session's credentials are; raises UnusableInput in one sentence."""
    with _in_a_sentence():
        credentials = asking.session.get_credentials()
        if credentials is None:
            raise UnusableInput(
                "there are no AWS credentials: sign in (aws sso login), or give AWS_PROFILE, as for the AWS CLI"
            )
        said = asking.client("sts", region).get_caller_identity()
        frozen = credentials.get_frozen_credentials()
    found_by = str(credentials.method)
    ends = getattr(credentials, "_expiry_time", None) if found_by in LASTING else None
    return Caller(
        account=str(said["Account"]),
        alias=_alias(asking),
        arn=str(said["Arn"]),
        found_by=found_by,
        ends=ends.astimezone(dt.UTC) if ends is not None else None,
        lasts=_lasts(found_by, ends, temporary=bool(frozen.token)),
    )


@contextlib.contextmanager
def _in_a_sentence() -> Iterator[None]:
    """Raise what is wrong with credentials as UnusableInput."""
    try:
        yield
    except ClientError as e:
        code = str(e.response["Error"]["Code"])
        if code in EXPIRED:
            raise UnusableInput("the AWS credentials have expired: sign in again") from e
        if code in REJECTED:
            raise UnusableInput(f"AWS does not know the credentials ({code}): give others, or sign in again") from e
        raise UnusableInput(f"AWS does not say whose the credentials are ({e}): allow sts:GetCallerIdentity") from e
    except ProfileNotFound as e:
        raise UnusableInput(f"{e}: give an AWS_PROFILE that there is") from e
    except BotoCoreError as e:
        raise UnusableInput(f"who the AWS credentials are cannot be asked for ({e}): mend that and try again") from e
    except RuntimeError as e:  # of botocore's own refreshing
        if "expired" not in str(e):
            raise
        raise UnusableInput("the AWS credentials have expired: sign in again") from e


def _lasts(found_by: str, ends: dt.datetime | None, *, temporary: bool) -> str:
    if ends is not None:
        return f"until {ends.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"
    if found_by not in LASTING:
        return f"renewed by {found_by} for as long as that is signed in"
    if temporary:
        return "temporary, and nothing says until when: set AWS_CREDENTIAL_EXPIRATION if you know"
    return "without an end"


def _alias(asking: Asking) -> str:
    """The name by which people know the account; not everybody may ask for it."""
    try:
        found = asking.client("iam").list_account_aliases()["AccountAliases"]
    except (BotoCoreError, ClientError):
        return ""
    return str(found[0]) if found else ""
