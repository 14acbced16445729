"""Run by LocalStack's own Python, by path: LocalStack, with the objects of its S3 in its own temporary directory.

It keeps them in /tmp/localstack-s3-storage whatever TMPDIR says: one directory for all LocalStacks of a machine, which
nobody but the first user can write to, and which stays behind.
"""

from __future__ import annotations

import runpy

from localstack.services.s3.storage import ephemeral


class OwnObjectStore(ephemeral.EphemeralS3ObjectStore):  # type: ignore[misc]
    """The same store, under a new directory in TMPDIR whichever it is told."""

    def __init__(self, root_directory: str | None = None) -> None:
        super().__init__()


if __name__ == "__main__":
    ephemeral.EphemeralS3ObjectStore = OwnObjectStore
    runpy.run_module("localstack.runtime.main", run_name="__main__")
