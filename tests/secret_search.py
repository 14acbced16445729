"""Looks through everything a run left for secrets that must never be there: keys, passwords, tokens."""

from __future__ import annotations

import base64
import json
import os
import urllib.parse
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

SHORTEST = 6


def find_secrets(run_dir: Path, secrets: Iterable[str]) -> list[str]:
    """One line for each file and secret found in it, naming the secret by its place in `secrets`, never by its value.

    File names, contents, strings inside Parquet columns and zip members are searched, each for the secret as it is and
    as JSON, a URL or base64 would write it. Text inside compressed streams of a PDF or PNG is not seen. Raises ValueError for
    a secret too short to tell from chance.
    """
    wanted = list(secrets)
    if any(len(s) < SHORTEST for s in wanted):
        raise ValueError(f"a secret shorter than {SHORTEST} characters would be found anywhere")
    forms = [_forms(s) for s in wanted]
    found = []
    for root, _, names in os.walk(run_dir):
        for name in names:
            path = Path(root) / name
            shown = path.relative_to(run_dir).as_posix()
            seen = set()
            for content in _contents(path):
                seen |= {i for i, ways in enumerate(forms) if any(way in content for way in ways)}
            seen |= {i for i, ways in enumerate(forms) if any(way in os.fsencode(shown) for way in ways)}
            found += [f"{shown}: holds secret {i}" for i in sorted(seen)]
    return sorted(found)


def _forms(secret: str) -> set[bytes]:
    raw = secret.encode()
    # base64 of the secret standing anywhere in a longer text: three alignments, less the characters that mix with
    # its neighbours.
    encoded = {base64.b64encode(b"\0" * pad + raw)[4 if pad else 0 : -4] for pad in (0, 1, 2)}
    written = {raw, json.dumps(secret)[1:-1].encode(), urllib.parse.quote(secret, safe="").encode()}
    return written | {e for e in encoded if len(e) >= SHORTEST}


def _contents(path: Path) -> Iterator[bytes]:
    if path.is_symlink() or not path.is_file():
        return
    if path.suffix == ".parquet":
        frame = pl.read_parquet(path, glob=False)
        for name in frame.columns:
            if frame.schema[name] == pl.String:
                yield "\n".join(frame[name].drop_nulls().unique().to_list()).encode()
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                yield archive.read(member)
    else:
        yield path.read_bytes()
