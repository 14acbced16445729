"""Where functions' code comes from: GetFunction's zip, fetched once a digest and unpacked under the work directory."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import io
import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from infra_fixtures.internal_api.own_http import own_session
from infra_fixtures.run_layout import RunLayout


class UnusableCode(Exception):
    """A function's code cannot be had or is not what the control plane says it is."""


class CodeStore:
    """Unpacked function code by its SHA-256."""

    def __init__(self, layout: RunLayout, directory: Path) -> None:
        self._worker_uid = layout.worker_uid
        self._internal = urlsplit(layout.internal.url)
        self._directory = directory
        self._locks: dict[str, asyncio.Lock] = {}

    def unpacked(self, code_sha256: str) -> Path | None:
        """Where that code lies, if it does."""
        path = self._path(code_sha256)
        return path if path.is_dir() else None

    async def fetch(self, code_sha256: str, location: str) -> Path:
        """Fetch the zip at `location` through the internal endpoint and unpack it; raises UnusableCode."""
        lock = self._locks.setdefault(code_sha256, asyncio.Lock())
        async with lock:
            existing = self.unpacked(code_sha256)
            if existing is not None:
                return existing
            data = await self._download(location)
            return await asyncio.to_thread(self._unpack, code_sha256, data, location)

    async def _download(self, location: str) -> bytes:
        parts = urlsplit(location)
        headers, url = {}, location
        if parts.hostname is not None and not parts.hostname.startswith("127."):
            # AWS's own name for the place: the internal endpoint serves it under that Host.
            headers["Host"] = parts.netloc
            url = urlunsplit((self._internal.scheme, self._internal.netloc, parts.path, parts.query, ""))
        try:
            async with own_session() as session, session.get(url, headers=headers) as response:
                data = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as e:
            raise UnusableCode(f"code not to be had from {location}: {e}") from e
        if response.status != 200:
            raise UnusableCode(f"code not to be had from {location}: HTTP {response.status}")
        return data

    def _unpack(self, code_sha256: str, data: bytes, location: str) -> Path:
        found = base64.b64encode(hashlib.sha256(data).digest()).decode()
        if found != code_sha256:
            raise UnusableCode(f"the zip at {location} has SHA-256 {found}, the function says {code_sha256}")
        self._directory.mkdir(parents=True, exist_ok=True)
        self._directory.chmod(0o755)
        fresh = Path(tempfile.mkdtemp(dir=self._directory, prefix=".unpacking-"))
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                archive.extractall(fresh)
        except zipfile.BadZipFile as e:
            shutil.rmtree(fresh)
            raise UnusableCode(f"what lies at {location} is not a zip file") from e
        self._open(fresh)
        return fresh.rename(self._path(code_sha256))

    def _open(self, root: Path) -> None:
        """Let the workers' user read all and write nothing but what Python compiles: /var/task is read-only on AWS."""
        for directory, _, files in os.walk(root):
            place = Path(directory)
            place.chmod(0o755)
            for name in files:
                (place / name).chmod(0o755)
            if self._worker_uid is not None and any(name.endswith(".py") for name in files):
                (place / "__pycache__").mkdir(exist_ok=True)
                os.chown(place / "__pycache__", self._worker_uid, self._worker_uid)

    def _path(self, code_sha256: str) -> Path:
        try:
            return self._directory / base64.b64decode(code_sha256, validate=True).hex()
        except binascii.Error as e:
            raise UnusableCode(f"the control plane gives {code_sha256!r} as CodeSha256, which is no digest") from e
