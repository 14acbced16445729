"""Name servers from Debian, each in the foreground on a high port, with one name whose address a script rewrites."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
import pytest

from drill.wait import wait_until
from infra_fixtures.run_layout import Address

ZONE = """$TTL 0
@ IN SOA ns.drill.example. ops.drill.example. @SERIAL@ 3600 600 86400 0
@ IN NS ns.drill.example.
ns IN A 127.0.0.1
app IN A @ADDRESS@
"""
NAME = "app.drill.example"


@dataclass(frozen=True, slots=True)
class Names:
    """A name server: where it answers, and how a script leads the name elsewhere."""

    where: Address
    rewriting: dict[str, Any]


@contextlib.contextmanager
def dnsmasq(where: Address, directory: Path, address: str) -> Iterator[Names]:
    """Debian's dnsmasq with a file of hosts that it reads again on SIGHUP; TTL 0."""
    hosts = directory / "hosts"
    template = f"@ADDRESS@ {NAME}\n"
    hosts.write_text(template.replace("@ADDRESS@", address))
    command = [
        program("dnsmasq", "dnsmasq-base"), "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
        "--user=root", "--group=root", "--pid-file=", "--bind-interfaces", "--local-ttl=0", f"--addn-hosts={hosts}",
        f"--listen-address={where.host}", f"--port={where.port}",
    ]  # fmt: skip
    with _running(command, directory / "dnsmasq.log", where, address) as pid:
        yield Names(where, {"file": str(hosts), "template": template, "pid": pid})


@contextlib.contextmanager
def powerdns(where: Address, directory: Path, address: str) -> Iterator[Names]:
    """Debian's PowerDNS with a zone file that it reads again when told; TTL 0, and nothing cached."""
    zone = directory / "drill.example.zone"
    zone.write_text(ZONE.replace("@ADDRESS@", address).replace("@SERIAL@", "1"))
    (directory / "named.conf").write_text(f'zone "drill.example" {{ type master; file "{zone}"; }};\n')
    command = [
        program("pdns_server", "pdns-server and pdns-backend-bind"), f"--config-dir={directory}", "--launch=bind",
        f"--bind-config={directory / 'named.conf'}", f"--local-address={where.host}", f"--local-port={where.port}",
        f"--socket-dir={directory}", "--daemon=no", "--guardian=no", "--cache-ttl=0", "--query-cache-ttl=0",
        "--negquery-cache-ttl=0", "--zone-cache-refresh-interval=0", "--security-poll-suffix=", "--setuid=root",
        "--setgid=root", "--distributor-threads=1",
    ]  # fmt: skip
    reload = [program("pdns_control", "pdns-server"), f"--socket-dir={directory}", "bind-reload-now", "drill.example"]
    with _running(command, directory / "pdns.log", where, address):
        yield Names(where, {"file": str(zone), "template": ZONE, "reload": reload})


def program(name: str, package: str, place: str = "/usr/sbin:/usr/bin") -> str:
    """Where Debian's program is; a machine without it cannot run this test."""
    found = shutil.which(name, path=place) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt-get install {package}")
    return found


@contextlib.contextmanager
def _running(command: list[str], log: Path, where: Address, address: str) -> Iterator[int]:
    with log.open("wb") as said:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        wait_until(
            lambda: _answer(where) == address or _dead(server, log), what=f"{command[0]} to answer", timeout_s=20
        )
        yield server.pid
    finally:
        server.terminate()
        server.wait(timeout=10)


def _dead(server: subprocess.Popen[bytes], log: Path) -> bool:
    assert server.poll() is None, log.read_text()[-2000:]
    return False


def _answer(where: Address) -> str:
    query = dns.message.make_query(NAME, dns.rdatatype.A)
    try:
        answer = dns.query.udp(query, where.host, timeout=0.5, port=where.port)
    except (dns.exception.DNSException, OSError):
        return ""
    return next((str(record.address) for records in answer.answer for record in records), "")
