"""`python -m traffic.worker --master HOST:PORT --token TOKEN`: one worker of a load that a drill elsewhere records.

It joins the drill, hears what to send, and becomes Locust (exec) with that same connection, so that from its first word
to its last the drill knows that it lives. It needs this repository and its environment, and to reach the drill's
port, the port of Locust's master (which the drill tells) and the service under test.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import socket
import sys
from pathlib import Path

import msgspec

from drill.host_environment import settle
from traffic import frames

TOKEN_VARIABLE = "DRILL_TOKEN"
"""The token may come in this variable instead: a command line is seen by every user of its machine."""
SETTINGS_VARIABLE = "DRILL_TRAFFIC"
UNIX = "unix:"
ANSWER_S = 60.0
LOCUSTFILE = Path(__file__).with_name("locustfile.py")
ROOT = LOCUSTFILE.parent.parent


class CannotJoin(Exception):
    """The sentence says why, and how to mend it."""


def main(arguments: list[str] | None = None) -> None:
    """Join and become Locust; ends with status 2 and one line where that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m traffic.worker", description="Send a share of a drill's load.")
    parser.add_argument("--master", required=True, metavar="HOST:PORT", help="where the drill listens, as it printed")
    parser.add_argument("--token", default=os.environ.get(TOKEN_VARIABLE), help=f"as printed (or ${TOKEN_VARIABLE})")
    told = parser.parse_args(arguments)
    if not told.token:
        parser.error(f"give the --token that the drill printed, or set {TOKEN_VARIABLE}")
    try:
        connection = _connect(told.master)
        enlisted = _join(connection, told.token)
    except CannotJoin as e:
        parser.exit(2, f"{e}\n")
    _become_locust(connection, enlisted, _host(told.master))


def _connect(address: str) -> socket.socket:
    try:
        if address.startswith(UNIX):
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.connect(address.removeprefix(UNIX))
        else:
            host, _, port = address.rpartition(":")
            if not host or not port.isdecimal():
                raise CannotJoin(f"--master {address} is not of the form HOST:PORT: copy what the drill printed")
            connection = socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as e:
        raise CannotJoin(f"no drill listens on {address} ({e}): start it first, and look at the address") from e
    return connection


def _join(connection: socket.socket, token: str) -> frames.Enlisted:
    """Say hello and read the answer, not a byte more: what follows it is Locust's."""
    connection.settimeout(ANSWER_S)
    buffer = bytearray()
    try:
        connection.sendall(frames.encode(frames.Hello(token, os.getpid(), platform.node())))
        while True:
            for raw in frames.split(buffer):
                answer = frames.decode(raw[frames.LENGTH.size :])
                if isinstance(answer, frames.Enlisted):
                    return answer
                raise CannotJoin(answer.why if isinstance(answer, frames.Refused) else "what answers is no drill")
            block = connection.recv(frames.LENGTH.size if not buffer else _rest(buffer))
            if not block:
                raise CannotJoin("the drill turned this worker away: look at the token that it printed")
            buffer += block
    except (OSError, frames.NotFrames) as e:
        raise CannotJoin(f"the drill gave no usable answer ({e}): look at the address") from e


def _rest(buffer: bytearray) -> int:
    if len(buffer) < frames.LENGTH.size:
        return frames.LENGTH.size - len(buffer)
    (length,) = frames.LENGTH.unpack_from(buffer)
    return int(frames.LENGTH.size + length - len(buffer))


def _become_locust(connection: socket.socket, enlisted: frames.Enlisted, host: str) -> None:
    connection.setblocking(True)
    connection.set_inheritable(True)
    told = msgspec.json.decode(enlisted.settings)
    share = {"worker": enlisted.worker, "workers": enlisted.workers, "connection": connection.fileno()}
    own = {k: v for k, v in os.environ.items() if k != TOKEN_VARIABLE}
    settle(own)  # this machine may not be the drill's
    environment = {
        **own,
        "PYTHONPATH": str(ROOT),
        "PYTHONSAFEPATH": "1",  # the working directory's modules must not pass for others
        SETTINGS_VARIABLE: msgspec.json.encode({"type": "worker", **told, **share}).decode(),
    }
    with contextlib.suppress(OSError):
        os.chdir(LOCUSTFILE.parent)  # no locust.conf or pyproject.toml of others
    command = [sys.executable, "-m", "locust", "--locustfile", str(LOCUSTFILE), "--worker"]
    command += ["--master-host", host, "--master-port", str(enlisted.master_port), "--exit-code-on-error", "0"]
    os.execve(sys.executable, command, environment)


def _host(address: str) -> str:
    return "127.0.0.1" if address.startswith(UNIX) else address.rpartition(":")[0].strip("[]")


if __name__ == "__main__":
    main()
