"""How the PostgreSQL nodes are set, each value with its reason.

What both nodes share stands in the database's own configuration file, where pg_rewind's crash recovery finds it too
(with the default wal_keep_size that recovery recycles the very log pg_rewind then looks for). What is a node's own is
given on the command line, so that a clone or a rewind brings none of it.
"""

from __future__ import annotations

import re
from pathlib import Path

from infra_fixtures.run_layout import Address

ADMIN = "rdsadmin"
"""The superuser of AWS's own automation; the name is reserved on RDS as well."""

SETTINGS = {
    # sessions: a Lambda worker holds one; Aurora's db.r6g.large admits about 1,000
    "max_connections": "200",
    # a drill's tables are a few MB; the default of 128 MB would be touched twice over
    "shared_buffers": "48MB",
    # shared memory as files in the data directory: a killed node leaves nothing in /dev/shm
    "dynamic_shared_memory_type": "mmap",
    "huge_pages": "off",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "synchronous_commit": "on",
    "wal_level": "replica",
    "max_wal_senders": "10",
    # a standby that was cut off for minutes under load finds the log it missed still there
    "wal_keep_size": "512MB",
    # a full-speed drill must not be slowed by log-triggered checkpoints
    "max_wal_size": "2GB",
    # the link's two ends notice a silent cut after this; a healed link resets its connections, which is noticed at once
    "wal_sender_timeout": "10s",
    "wal_receiver_timeout": "10s",
    # the standby says how far it is; the default of 10 s would make the engine's own lag figure stale
    "wal_receiver_status_interval": "1s",
    # after a lost connection the standby dials again at once, not after the default 5 s
    "wal_retrieve_retry_interval": "100ms",
    "hot_standby": "on",
    # reads on the replica do not get cancelled by cleanup on the writer; Aurora's do not either
    "hot_standby_feedback": "on",
    # PostgreSQL's own latency noise in runs of a minute
    "jit": "off",
    "log_line_prefix": "%m [%p] %u ",
    "log_checkpoints": "off",
    # the PostgreSQL that comes with the harness is built without OpenSSL
    "ssl": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

FSYNC_FILE = "fsync.conf"
"""Beside the data directory, a node's own: a writer's commits wait for the disk (`fsync = on`), as a figure of commit
latency would be worth nothing otherwise. A standby's do not, nor does starting, which would first sync every file of the
database (1 s). A killed process loses nothing by it: what it wrote is the kernel's."""

HBA = """\
local all all reject
host replication {admin} 127.0.0.0/8 scram-sha-256
host all all 127.0.0.0/8 scram-sha-256
"""


def configuration() -> str:
    """The lines to add to a new database's postgresql.conf."""
    lines = [f"{name} = '{value}'\n" for name, value in SETTINGS.items()]
    return "".join([*lines, f"include_if_exists = '../{FSYNC_FILE}'\n"])


def conninfo(server: Address, passfile: Path, **more: str) -> str:
    """How libpq reaches a server as AWS's own automation; the path of the password file may hold anything."""
    words = {
        "host": server.host,
        "port": str(server.port),
        "user": ADMIN,
        "passfile": str(passfile),
        "require_auth": "scram-sha-256",  # whoever listens there while the server is down is told no password
        **more,
    }
    return " ".join(f"{name}='" + re.sub(r"(['\\])", r"\\\1", value) + "'" for name, value in words.items())


def command_line(listen: Address, upstream: Address, region: str, passfile: Path) -> list[str]:
    """The `-c name=value` arguments of a node that listens on `listen` and, as a standby, dials `upstream`."""
    own = {
        "listen_addresses": listen.host,
        "port": str(listen.port),
        "primary_conninfo": conninfo(
            upstream, passfile, application_name=region, sslmode="disable", connect_timeout="10"
        ),
    }
    return [word for name, value in own.items() for word in ("-c", f"{name}={value}")]
