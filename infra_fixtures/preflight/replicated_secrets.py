"""Are the secrets of the functions in the standby?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from botocore.exceptions import ClientError

from infra_fixtures.preflight.check import CannotSee, Check, Seen, is_gone
from infra_fixtures.preflight.functions import variables
from infra_fixtures.targets.parts import FunctionsPart

SECRET = "arn:aws:secretsmanager:"


class ReplicatedSecrets(Check):
    """A function of the standby that asks the primary for its secret fails with it."""

    parts: ClassVar[tuple[type, ...]] = (FunctionsPart,)
    mend: ClassVar[str] = "replicate the secret to the standby, and let the function there name the replica"
    page: ClassVar[str] = "https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets.html"

    def troubles(self, seen: Seen) -> Iterator[str]:
        """Every secret that the standby's function names by its ARN."""
        named = [value for value in variables(seen, seen.standby).values() if value.startswith(SECRET)]
        if not named:
            raise CannotSee(f"the function in {seen.standby} names no secret by its ARN in its environment")
        for arn in named:
            region, name = arn.split(":")[3], arn.split(":", 6)[6]
            if region != seen.standby:
                yield f"the function in {seen.standby} asks {region} for the secret {name}"
                continue
            try:
                told = seen.client("secretsmanager", region).describe_secret(SecretId=arn)
            except ClientError as e:
                if not is_gone(e):
                    raise
                yield f"the secret {name} is not in {region}"
                continue
            if told.get("DeletedDate"):
                yield f"the secret {name} in {region} is to be deleted"
            yield from _out_of_step(seen, arn.replace(f":{region}:", f":{seen.primary}:"), name)


def _out_of_step(seen: Seen, source: str, name: str) -> Iterator[str]:
    """What the primary says of its replica; a secret of the standby's own has none."""
    try:
        told = seen.client("secretsmanager", seen.primary).describe_secret(SecretId=source)
    except ClientError as e:
        if is_gone(e):
            return
        raise
    for replica in told.get("ReplicationStatus", ()):
        if replica["Region"] == seen.standby and replica["Status"] != "InSync":
            yield f"the replica of {name} in {seen.standby} is {replica['Status']}: {replica.get('StatusMessage', '')}"
