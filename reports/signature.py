"""Ed25519 over a run's manifest: who vouches for the records (RFC 8032; raw 64-byte signatures, PEM keys).

Anyone can check without this harness:
`openssl pkeyutl -verify -pubin -inkey signing-key.pub -rawin -in MANIFEST.sha256 -sigfile MANIFEST.sha256.sig`.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from drill.plain_file import read_bytes
from drill.unusable import UnusableInput

HOW = "give an unencrypted Ed25519 key in PEM (openssl genpkey -algorithm ed25519)"


def signing_key(path: Path | None = None) -> Ed25519PrivateKey:
    """The key to sign with: `path`, else DRILL_SIGNING_KEY (PEM), else DRILL_SIGNING_KEY_FILE, else one kept for this user.

    The user's own is generated on first use in `$XDG_CONFIG_HOME/failover-drill/signing-key.pem`, readable by no one
    else; where nothing can be kept there, one is made for this process alone. Either says only that the records were not
    changed since; that *this organisation* signed needs a key it keeps.
    """
    if path is not None:
        return _load(_read(path), str(path))
    if pem := os.environ.get("DRILL_SIGNING_KEY"):
        return _load(pem.encode(), "DRILL_SIGNING_KEY")
    if given := os.environ.get("DRILL_SIGNING_KEY_FILE"):
        return _load(_read(Path(given)), given)
    home = _config_home()
    if home is None:
        return _passing()
    own = home / "failover-drill" / "signing-key.pem"
    try:
        if not own.exists():
            _generate(own)
        shared = own.stat().st_mode & 0o077
    except OSError:
        return _passing()
    if shared:
        raise UnusableInput(f"the signing key {own} is open to other users: chmod 600 it, or remove it and one is made")
    return _load(_read(own), str(own))


@functools.cache
def _passing() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def public_pem(key: Ed25519PrivateKey | Ed25519PublicKey) -> bytes:
    """The public half as PEM."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public_key(pem: bytes, where: str) -> Ed25519PublicKey:
    """Read a public key; raises UnusableInput saying where it stood."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as e:
        raise UnusableInput(f"{where} is no public key: give an Ed25519 public key in PEM") from e
    if not isinstance(key, Ed25519PublicKey):
        raise UnusableInput(f"{where} is not an Ed25519 key: give an Ed25519 public key in PEM")
    return key


def fingerprint(key: Ed25519PrivateKey | Ed25519PublicKey) -> str:
    """SHA-256 of the raw public key, as ssh prints it: what to compare over the phone."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    digest = hashlib.sha256(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def signer(key: Ed25519PrivateKey, path: Path | None = None) -> str:
    """Who signs, for people: what DRILL_SIGNER says, else where the key is from; and the key's fingerprint.

    The name is the signer's own word; that it is theirs is proven only by a fingerprint got from them another way.
    """
    given = path or os.environ.get("DRILL_SIGNING_KEY") or os.environ.get("DRILL_SIGNING_KEY_FILE")
    made = "for this process alone" if not given and key is _passing() else "for this user"
    name = os.environ.get("DRILL_SIGNER") or ("a given key" if given else f"a key the harness made {made}")
    return f"{name} ({fingerprint(key)})"


def signed_by(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    """Whether the signature over the message is this key's."""
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _config_home() -> Path | None:
    """Where this user's settings are; None for one without a home. No home is made where there is none."""
    given = os.environ.get("XDG_CONFIG_HOME")
    if given:
        return Path(given)
    try:
        home = Path.home()
        return home / ".config" if home.is_dir() else None
    except (RuntimeError, OSError):
        return None


def _generate(path: Path) -> None:
    """Two runs may start at once: the key is made aside and linked, the first one stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        out.write(pem)
    try:
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(temporary)
    finally:
        temporary.unlink()


def _read(path: Path) -> bytes:
    content = read_bytes(path)
    if content is None:
        raise UnusableInput(f"there is no key {path}: {HOW}")
    return content


def _load(pem: bytes, where: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise UnusableInput(f"{where} is no private key that can be used: {HOW}") from e
    if not isinstance(key, Ed25519PrivateKey):
        raise UnusableInput(f"{where} is not an Ed25519 key: {HOW}")
    return key
