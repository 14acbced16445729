"""What a node has on disk before it runs: its directory, its passwords, the files that initdb makes.

Little is imported here: the first node's files are made while the rest of the data plane is still being imported.
"""

from __future__ import annotations

import os
import secrets
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from infra_fixtures.data_plane.aurora.settings import ADMIN
from infra_fixtures.processes.parent_death import die_with_parent
from infra_fixtures.run_layout import RunLayout, child_environment


@dataclass(frozen=True, slots=True)
class NodeDirectory:
    """The directory of a region's node; everything in it belongs to `uid` (None: to this process's user)."""

    path: Path
    secret: Path
    """The password of AWS's automation, the same for all nodes of a run."""
    uid: int | None

    @classmethod
    def of(cls, layout: RunLayout, region: str, uid: int | None) -> NodeDirectory:
        """The home of a region's node."""
        work_dir = Path(layout.work_dir)
        return cls(work_dir / region, work_dir / "rdsadmin.secret", uid)

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.path / "aurora"

    @property
    def passfile(self) -> Path:
        """What a client of the automation's user finds its password in."""
        return self.path / "pgpass"

    def create(self) -> None:
        """Make the directory and the password files."""
        if self.passfile.exists():
            return
        self.path.mkdir(mode=0o700, exist_ok=True)
        if not self.secret.exists():
            self.secret.touch(mode=0o600)
            self.secret.write_text(secrets.token_urlsafe(24))
        password = self.secret.read_text()
        for name, content in (("password", password), (self.passfile.name, f"*:*:*:{ADMIN}:{password}\n")):
            (self.path / name).touch(mode=0o600)
            (self.path / name).write_text(content)
        for path in (self.path, *self.path.iterdir()):
            self.own(path)

    def own(self, path: Path) -> None:
        """Give a file to PostgreSQL's user."""
        if self.uid is not None:
            os.chown(path, self.uid, self.uid)

    def initdb(self, pg_bin: Path) -> list[str]:
        """The command that makes an empty database whose only role is AWS's own automation."""
        return [
            str(pg_bin / "initdb"), "-D", str(self.data), "-k", "--no-sync", "-U", ADMIN,
            "--pwfile", str(self.path / "password"), "-A", "scram-sha-256", "-E", "UTF8", "--locale=C",
            "--no-instructions",
        ]  # fmt: skip


def log_of(layout: RunLayout) -> Path:
    """Where the making of the first files says what it does."""
    return Path(layout.work_dir) / "aurora-files.log"


def begin(layout: RunLayout, pg_bin: Path, uid: int | None) -> subprocess.Popen[bytes]:
    """Start to make the files of both regions' nodes: an empty database, and a copy of it.

    What is started dies with the calling thread.
    """
    writer, standby = (NodeDirectory.of(layout, region.name, uid) for region in layout.regions)
    for directory in (writer, standby):
        directory.create()
    copy = ["cp", "-R", "--preserve=mode", str(writer.data), str(standby.data)]
    group = [] if layout.worker_uid is None else [layout.worker_uid]
    user = {} if uid is None else {"user": uid, "group": uid, "extra_groups": group}
    with log_of(layout).open("ab") as output:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            ["/bin/sh", "-c", f"{shlex.join(writer.initdb(pg_bin))} && {shlex.join(copy)}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=writer.path,
            env={**child_environment(layout), "LC_ALL": "C"},
            start_new_session=True,
            preexec_fn=die_with_parent,
            **user,  # type: ignore[call-overload]
        )
    return process
