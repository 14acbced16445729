"""Where the lock of a target is: one object in S3, read, and written only on condition.

That it is not there yet (If-None-Match: *), or that it is still the one that was read (If-Match): S3 decides who of two is
first (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html), and so do moto and LocalStack; of SSM,
which needs no bucket, nothing can be overwritten on condition, so that two could take over the same lapsed lease.
"""

from __future__ import annotations

import contextlib
import email.utils
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from drill.unusable import UnusableInput
from drill.wait import WaitTimeout, wait_until

COARSE_S = 2.0
"""Times in S3's answers are whole seconds: a lease has lapsed only when it is over by more than that can be wrong."""
LOST_THE_RACE = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})
MADE_BY_ANOTHER = frozenset({"BucketAlreadyOwnedByYou", "OperationAborted"})
BUCKET_LIMIT_S = 15.0


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """What the object says: who holds the lock. `token` is drawn anew for every time that it is taken."""

    token: str
    run_id: str
    who: str
    since: str
    lease_s: float
    released: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The object as it was read; `age_s` is how long ago it was written, by S3's own clock."""

    holder: Holder
    etag: str
    age_s: float

    @property
    def has_lapsed(self) -> bool:
        """Whether its holder renews it no more and did not give it back."""
        return not self.holder.released and self.age_s > self.holder.lease_s + COARSE_S

    def is_free_for(self, run_id: str) -> bool:
        """Whether that run may take it: it was given back, or is what the run itself could not give back."""
        return self.holder.released or (self.has_lapsed and self.holder.run_id == run_id)


class Contended(Exception):
    """Somebody else wrote first."""


@dataclass(frozen=True, slots=True)
class LockPlace:
    """Where the lock of a target is: one object a target, in a bucket of the account and of the client's region."""

    s3: Any
    account: str
    target: str

    @property
    def bucket(self) -> str:
        """The bucket's name, which is nobody else's."""
        return f"failover-drill-lock-{self.account}-{self.s3.meta.region_name}"

    @property
    def url(self) -> str:
        """The object."""
        return f"s3://{self.bucket}/{self.target}"

    def read(self) -> Found | None:
        """What is there; None where nothing is."""
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=self.target, ExpectedBucketOwner=self.account)
        except ClientError as e:
            if e.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket"):
                return None
            raise
        try:
            holder = msgspec.json.decode(answer["Body"].read(), type=Holder)
        except msgspec.DecodeError as e:
            raise UnusableInput(f"{self.url} is no lock ({e}): delete it if nobody drills there") from e
        now = email.utils.parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return Found(holder, answer["ETag"], (now - answer["LastModified"]).total_seconds())

    def write(self, holder: Holder, over: str | None) -> str:
        """Write over the object of that ETag, or where there is none; the new ETag. Raises Contended."""
        condition = {"IfNoneMatch": "*"} if over is None else {"IfMatch": over}
        # The ETag is the content's: two renewals must differ, or one that was meant for the other would pass.
        body = msgspec.json.encode({**msgspec.to_builtins(holder), "written": secrets.token_hex(8)})
        try:
            answer = self.s3.put_object(
                Bucket=self.bucket, Key=self.target, Body=body, ExpectedBucketOwner=self.account, **condition
            )
        except ClientError as e:
            if e.response["Error"]["Code"] in LOST_THE_RACE:
                raise Contended from e
            raise
        return str(answer["ETag"])

    def make_bucket(self) -> None:
        """Make the bucket where it is not there; returns when it is."""
        region = self.s3.meta.region_name
        elsewhere = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}

        def is_there() -> bool:
            with contextlib.suppress(ClientError):
                return bool(self.s3.head_bucket(Bucket=self.bucket, ExpectedBucketOwner=self.account))
            try:
                self.s3.create_bucket(Bucket=self.bucket, **elsewhere)
            except ClientError as e:
                if e.response["Error"]["Code"] not in MADE_BY_ANOTHER:
                    raise
            return False

        try:
            wait_until(is_there, what=f"the bucket {self.bucket}", timeout_s=BUCKET_LIMIT_S, every_s=0.2)
        except (ClientError, WaitTimeout) as e:
            raise UnusableInput(
                f"the bucket {self.bucket}, which holds the lock of a target, cannot be made: {e}"
            ) from e

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """What S3 refuses in here, or that it does not answer, is raised as UnusableInput."""
        try:
            yield
        except (BotoCoreError, ClientError) as e:
            raise UnusableInput(
                f"the lock of {self.target}, {self.url} at {self.s3.meta.endpoint_url}, cannot be read or written ({e}): let "
                "S3 answer there, and these credentials use that object"
            ) from e
