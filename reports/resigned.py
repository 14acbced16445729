"""RESIGNED.json: every signature of a run that another one took the place of, so that a new one cannot hide the old.

It is written by the build that signs anew, is itself in the manifest, and is told in every report.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path

import msgspec

from drill.plain_file import read_bytes, read_json
from drill.unusable import UnusableInput

RESIGNED = "RESIGNED.json"


class Resigned(msgspec.Struct, frozen=True):
    """One signature that was replaced: SHA-256 of the manifest it vouched for (empty: it had been removed), whose, when.

    `differed` names what was no longer as signed.
    """

    manifest_sha256: str
    signed_by: str
    replaced_at: str
    replaced_by: str
    differed: tuple[str, ...] = ()

    @classmethod
    def now(cls, manifest: Path, signed_by: str, replaced_by: str, differed: tuple[str, ...]) -> Resigned:
        """The signature over `manifest`, replaced at this moment."""
        content = read_bytes(manifest)
        digest = "" if content is None else hashlib.sha256(content).hexdigest()
        at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return cls(digest, signed_by, at, replaced_by, differed)

    def sentence(self) -> str:
        """For people."""
        what = f"the manifest {self.manifest_sha256}" if self.manifest_sha256 else "a manifest that had been removed"
        why = f"; no longer as signed: {', '.join(self.differed)}" if self.differed else ""
        return f"Signed again on {self.replaced_at} by {self.replaced_by}, in place of {what} signed by {self.signed_by}{why}."


def load_resigned(directory: Path) -> tuple[Resigned, ...]:
    """What the run's RESIGNED.json says, oldest first; nothing where there is none. Raises UnusableInput."""
    path = directory / RESIGNED
    try:
        return msgspec.convert(read_json(path) or [], tuple[Resigned, ...])
    except msgspec.ValidationError as e:
        raise UnusableInput(f"{path} is not what this harness writes ({e}): restore the file") from e


def add_resigned(directory: Path, replaced: Resigned) -> None:
    """Put one more down."""
    whole = msgspec.json.encode([*load_resigned(directory), replaced])
    (directory / RESIGNED).write_bytes(msgspec.json.format(whole, indent=2) + b"\n")
