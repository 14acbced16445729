"""The manifest of a run: SHA-256 of every file, signed, so that whoever reads it later knows that nothing was changed.

MANIFEST.sha256 is in sha256sum's format (`sha256sum -c MANIFEST.sha256` reads it) and sorted. It covers every file but
itself and its signature. Empty directories carry no evidence and do not count.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from drill.plain_file import is_directory
from drill.unusable import UnusableInput
from reports.signature import public_key as read_public_key
from reports.signature import public_pem, signed_by

MANIFEST = "MANIFEST.sha256"
SIGNATURE = "MANIFEST.sha256.sig"
PUBLIC_KEY = "signing-key.pub"
ADDED = ": added, the manifest does not know it"
UNCOVERED = frozenset({MANIFEST.encode(), SIGNATURE.encode()})
LINE = re.compile(rb"(\\?)([0-9a-f]{64})  (.+)", re.DOTALL)
ESCAPES = {b"\\": b"\\\\", b"\n": b"\\n", b"\r": b"\\r"}


def write(directory: Path, key: Ed25519PrivateKey) -> Path:
    """Write signing-key.pub, MANIFEST.sha256 and its signature; return the manifest's path.

    Raises UnusableInput where the directory holds what cannot be vouched for (a symbolic link, a pipe).
    """
    (directory / PUBLIC_KEY).write_bytes(public_pem(key))
    lines = []
    for name, path in sorted(_files(directory)):
        if name in UNCOVERED:
            continue
        if not _is_plain(path):
            raise UnusableInput(f"{_shown(name)} is not a plain file and cannot be vouched for: move it out of the run")
        lines.append(_line(name, _digest(path)))
    whole = b"".join(lines)
    manifest = directory / MANIFEST
    manifest.write_bytes(whole)
    (directory / SIGNATURE).write_bytes(key.sign(whole))
    return manifest


def verify(directory: Path, public_key: Ed25519PublicKey | None = None) -> list[str]:
    """Every way in which the directory differs from what was signed, each naming its file; empty when there is none.

    With `public_key` the signature must be that key's; without it, the key in the run is taken at its word, which
    proves that nothing changed since signing but not who signed.
    """
    if not is_directory(directory):
        raise UnusableInput(f"{directory} is not a directory: give the directory of a run, such as reports/runs/latest")
    found = dict(_files(directory))
    problems = _signature_problems(directory, public_key)
    listed, malformed = _listed(directory, found)
    problems += malformed
    for name, path in sorted(found.items()):
        if name in UNCOVERED:
            continue
        if name not in listed:
            problems.append(f"{_shown(name)}{ADDED}")
        elif not _is_plain(path):
            problems.append(f"{_shown(name)}: replaced by something that is not a plain file")
        else:
            problems += _changed(name, path, listed[name])
    problems += [f"{_shown(name)}: missing" for name in sorted(listed) if name not in found]
    return problems


def in_brief(problems: list[str]) -> list[str]:
    """The same for people: where the manifest is missing, every file is unknown to it, and once is enough to say so."""
    is_missing = f"{MANIFEST}: missing" in problems
    return [p for p in problems if not (is_missing and p.endswith(ADDED))]


def _signature_problems(directory: Path, trusted: Ed25519PublicKey | None) -> list[str]:
    parts: dict[str, bytes] = {}
    problems = []
    for name in (MANIFEST, SIGNATURE, PUBLIC_KEY):
        path = directory / name
        if not path.exists() and not path.is_symlink():
            # The public key is in the manifest, which names it where it is missing.
            problems += [] if name == PUBLIC_KEY else [f"{name}: missing"]
        elif not _is_plain(path):
            problems.append(f"{name}: not a plain file")
        else:
            parts[name] = path.read_bytes()
    key = trusted
    if key is None and PUBLIC_KEY in parts:
        try:
            key = read_public_key(parts[PUBLIC_KEY], PUBLIC_KEY)
        except UnusableInput as e:
            problems.append(f"{PUBLIC_KEY}: {e}")
    if key is None or MANIFEST not in parts or SIGNATURE not in parts:
        return problems or [f"{SIGNATURE}: cannot be checked without {PUBLIC_KEY}"]
    if not signed_by(key, parts[SIGNATURE], parts[MANIFEST]):
        whose = "the trusted key's" if trusted is not None else f"{PUBLIC_KEY}'s"
        problems.append(f"{SIGNATURE}: not {whose} signature of {MANIFEST}; one of the three was changed")
    return problems


def _listed(directory: Path, found: dict[bytes, Path]) -> tuple[dict[bytes, str], list[str]]:
    path = found.get(MANIFEST.encode())
    if path is None or not _is_plain(path):
        return {}, []
    listed: dict[bytes, str] = {}
    problems = []
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], start=1):
        match = LINE.fullmatch(line)
        if match is None:
            problems.append(f"{MANIFEST}: line {number} is not of sha256sum's format")
            continue
        escaped, digest, name = match.groups()
        name = _unescape(name) if escaped else name
        if name in listed:
            problems.append(f"{MANIFEST}: line {number} lists {_shown(name)} again")
        listed[name] = digest.decode()
    return listed, problems


def _changed(name: bytes, path: Path, digest: str) -> list[str]:
    try:
        return [] if _digest(path) == digest else [f"{_shown(name)}: changed"]
    except OSError as e:
        return [f"{_shown(name)}: cannot be read ({e.strerror})"]


def _files(directory: Path) -> Iterator[tuple[bytes, Path]]:
    """Everything below that is not a directory; links are not followed, a link to a directory is itself yielded."""
    for root, folders, names in os.walk(directory):
        here = Path(root)
        links = [f for f in folders if (here / f).is_symlink()]
        for name in (*names, *links):
            path = here / name
            yield os.fsencode(path.relative_to(directory).as_posix()), path


def _is_plain(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _digest(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _line(name: bytes, digest: str) -> bytes:
    """One line as sha256sum writes it: a name with a newline or backslash is escaped and the line begins with one."""
    safe = re.sub(rb"[\\\n\r]", lambda m: ESCAPES[m[0]], name)
    return (b"\\" if safe != name else b"") + digest.encode() + b"  " + safe + b"\n"


def _unescape(name: bytes) -> bytes:
    back = {v: k for k, v in ESCAPES.items()}
    return re.sub(rb"\\[\\nr]", lambda m: back[m[0]], name)


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace").replace("\n", "\\n").replace("\r", "\\r")
