"""python -m tests.infra_fixtures.permissions.write: write the policies that are committed."""

from __future__ import annotations

from infra_fixtures.permissions.command import COMMITTED, committed_files

if __name__ == "__main__":
    COMMITTED.mkdir(exist_ok=True)
    for stale in COMMITTED.iterdir():
        stale.unlink()
    for path, content in committed_files().items():
        path.write_text(content)
