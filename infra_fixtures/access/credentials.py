"""The secrets of one run, made when its layout is planned: they live in layout.json, which its own user alone can read.

Access keys look as AWS's do (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html). A role's
are derived from its ARN, so that whoever hands them out and whoever checks them need not talk to each other.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import secrets

import msgspec

LONG_TERM, TEMPORARY = "AKIA", "ASIA"


class AccessKey(msgspec.Struct, frozen=True):
    """An access key; `token` is the session token of temporary credentials. Its secrets are not in its repr."""

    id: str
    secret: str
    token: str = ""

    def __repr__(self) -> str:
        return f"AccessKey({self.id})"


class Credentials(msgspec.Struct, frozen=True):
    """Who calls in a run: `user` is the harness and the person at it, `reconciler` the run's own processes.

    `door` is the bearer secret of the doors that AWS does not have (control APIs, admin API, change stream), `root` what
    roles' keys are derived from.
    """

    user: AccessKey
    reconciler: AccessKey
    door: str
    root: str

    def __repr__(self) -> str:
        return f"Credentials({self.user.id}, {self.reconciler.id})"

    @classmethod
    def fresh(cls) -> Credentials:
        """New ones, known to nobody."""
        return cls(_new_key(), _new_key(), secrets.token_urlsafe(32), secrets.token_urlsafe(32))

    def of_role(self, role_arn: str) -> AccessKey:
        """The temporary credentials of a role, the same for the whole run."""
        return _of_role(self.root, role_arn)

    def known(self, key_id: str, token: str) -> AccessKey | None:
        """The access key of that id that goes with that session token; None where the run gave none such out."""
        if not token:
            return next((key for key in (self.user, self.reconciler) if key.id == key_id), None)
        role = role_of(token)
        if role is None:
            return None
        key = self.of_role(role)
        return key if hmac.compare_digest(key.token.encode(), token.encode()) and key.id == key_id else None

    @property
    def bearer(self) -> dict[str, str]:
        """The header that opens the run's own doors."""
        return {"Authorization": f"Bearer {self.door}"}

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that may be in no record."""
        return (self.user.secret, self.reconciler.secret, self.door, self.root)


def role_of(token: str) -> str | None:
    """The ARN of the role that a session token says it is of; None where it is of none."""
    try:
        return base64.urlsafe_b64decode(token.partition(".")[0].encode()).decode() or None
    except ValueError:
        return None


def _new_key() -> AccessKey:
    return AccessKey(_key_id(LONG_TERM, secrets.token_bytes(10)), base64.b64encode(secrets.token_bytes(30)).decode())


def _key_id(kind: str, entropy: bytes) -> str:
    return kind + base64.b32encode(entropy[:10]).decode()


@functools.lru_cache(maxsize=256)
def _of_role(root: str, role_arn: str) -> AccessKey:
    def derived(what: str) -> bytes:
        return hmac.new(root.encode(), f"{what} {role_arn}".encode(), hashlib.sha256).digest()

    token = f"{base64.urlsafe_b64encode(role_arn.encode()).decode()}.{derived('token').hex()}"
    return AccessKey(_key_id(TEMPORARY, derived("id")), base64.b64encode(derived("secret")[:30]).decode(), token)
