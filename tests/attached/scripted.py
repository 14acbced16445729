"""A small scripted system on this machine: a service in two places over one store, and whoever flips its name.

It is broken by a command (the primary's process is killed), healed by a command (it is started again), and its name follows
the primary's health after a while, as an operator's script would have it.
"""

from __future__ import annotations

import contextlib
import os
import random
import shlex
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from drill.wait import wait_until
from infra_fixtures.run_layout import RunLayout
from tests.traffic.name_server import NameServer

NAME = "orders.example"
SERVICE = """
import http.server, json, os, sys

host, port, store, pid = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        wanted = self.path.rpartition("/")[2]
        if self.path == "/health":
            return self.answer(200, {"ok": True})
        found = [json.loads(line) for line in open(store)]
        if self.path == "/orders":
            return self.answer(200, {"items": found})
        one = next((r for r in found if str(r["key"]) == wanted), None)
        self.answer(200 if one else 404, one or {})

    def do_POST(self):
        record = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with open(store, "a") as kept:
            kept.write(json.dumps(record) + "\\n")
        self.answer(201, record)

    def answer(self, status, said):
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

server = Server((host, port), Handler)
with open(pid, "w") as told:
    told.write(str(os.getpid()))
server.serve_forever()
"""
CONTRACT = """
name = "orders"
write = { path = "/orders", body = { key = "{key}", amount = "{content}" }, answer = { key = "/key", content = "/amount" } }
read = { path = "/orders/{key}", answer = { key = "/key", content = "/amount" } }
health = { path = "/health" }

[survivors.listing]
path = "/orders"
items = "/items"
content = "/amount"
"""


@dataclass(slots=True)
class Scripted:
    """The system: `primary` and `standby` serve at port `port`, another for each, so that each has a lock of its own on this
    machine, and one that was left broken keeps no other out; `flip_s` is how long its name takes to follow."""

    primary: str
    standby: str
    port: int
    names: NameServer
    directory: Path
    flip_s: float = 0.5
    killed_ns: list[int] = field(default_factory=list)
    flipped_ns: list[int] = field(default_factory=list)

    def command(self, address: str) -> str:
        """The line that starts the service at an address, in the background."""
        words = [sys.executable, str(self.directory / "service.py"), address, str(self.port)]
        words += [str(self.directory / "store.jsonl"), str(self.pid_file(address))]
        return f"{shlex.join(words)} >/dev/null 2>&1 &"

    def pid_file(self, address: str) -> Path:
        """Where the service at an address tells its process id."""
        return self.directory / f"{address}.pid"

    @property
    def leads(self) -> Path:
        """The file that says where the name leads, where a command moves it."""
        return self.directory / "leads"

    def answers(self, address: str) -> bool:
        """Whether the service there is healthy."""
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            return (
                int(urllib3.request("GET", f"http://{address}:{self.port}/health", retries=False, timeout=1.0).status)
                == 200
            )
        return False

    def description(self, *, heal: bool = True, more: str = "") -> Path:
        """Its description for the attach target."""
        pid = shlex.quote(str(self.pid_file(self.primary)))
        path = self.directory / "system.toml"
        (self.directory / "orders.toml").write_text(CONTRACT)
        tables = f"""
name = "orders in two places"
workload = "orders.toml"
rate = 20.0

[service]
url = "http://{NAME}:{self.port}"
dns = "{self.names.host}:{self.names.port}"
dns_every_s = 0.05

[primary]
name = "left"
url = "http://{self.primary}:{self.port}"

[standby]
name = "right"
url = "http://{self.standby}:{self.port}"

[break]
command = "kill -9 $(cat {pid})"
timeout_s = 10
"""
        if heal:
            tables += f"[heal]\ncommand = {_toml(self.command(self.primary))}\ntimeout_s = 10\n"
        path.write_text(f"{more}\n{tables}")
        return path


def _toml(text: str) -> str:
    return f"'''{text}'''"


@contextlib.contextmanager
def scripted(layout: RunLayout, directory: Path, *, by_command: bool = False) -> Iterator[Scripted]:
    """It stands, and its name leads to the primary; ended at the end.

    `by_command`: the name leads where the file `leads` says, and not by itself.
    """
    primary, standby, dns = layout.primary.edge, layout.standby.edge, layout.dns
    (directory / "service.py").write_text(SERVICE)
    (directory / "store.jsonl").touch()
    with NameServer(dns.host, dns.port, primary.host, ttl=0) as names:
        # A name and a port of its own: what a killed test leaves broken must not keep the next one out.
        port = random.randrange(20_000, 30_000)
        system = Scripted(primary.host, standby.host, port, names, directory)
        over = threading.Event()
        system.leads.write_text(primary.host)
        follower = threading.Thread(target=_obey if by_command else _follow, args=(system, over), daemon=True)
        try:
            for address in (system.primary, system.standby):
                os.system(system.command(address))
            for address in (system.primary, system.standby):
                wait_until(lambda a=address: system.answers(a), what="the service to answer", timeout_s=20)  # type: ignore[misc]
            follower.start()
            yield system
        finally:
            over.set()
            follower.join(5)
            for address in (system.primary, system.standby):
                with contextlib.suppress(OSError, ValueError):
                    os.kill(int(system.pid_file(address).read_text()), signal.SIGKILL)


def _follow(system: Scripted, over: threading.Event) -> None:
    """Lead the name to the standby `flip_s` after the primary was found dead, and back once it answers again."""
    while not over.wait(0.02):
        leads_to_primary = system.names.addresses == (system.primary,)
        alive = system.answers(system.primary)
        if leads_to_primary and not alive:
            system.killed_ns.append(time.monotonic_ns())
            over.wait(system.flip_s)
            system.names.addresses = (system.standby,)
            system.flipped_ns.append(time.monotonic_ns())
        elif not leads_to_primary and alive:
            system.names.addresses = (system.primary,)


def _obey(system: Scripted, over: threading.Event) -> None:
    """Lead the name where the file says."""
    while not over.wait(0.01):
        told = system.leads.read_text()
        if told in (system.primary, system.standby):
            system.names.addresses = (told,)
