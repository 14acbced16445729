"""An observer of its own: a fresh look by name every so often, by nothing of the harness; a line a look, until stdin is closed.

`observer.py DNS_HOST DNS_PORT NAME PORT PATH`; a line is `began_ns ended_ns ok` of time.monotonic_ns().
"""

from __future__ import annotations

import http.client
import select
import sys
import time

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

EVERY_S = 0.025
LIMIT_S = 1.0


def main(dns_host: str, dns_port: str, name: str, port: str, path: str) -> None:
    """Look until told to stop."""
    while not select.select([sys.stdin], [], [], EVERY_S)[0]:
        began_ns = time.monotonic_ns()
        ok = _look(dns_host, int(dns_port), name, int(port), path)
        sys.stdout.write(f"{began_ns} {time.monotonic_ns()} {int(ok)}\n")
        sys.stdout.flush()


def _look(dns_host: str, dns_port: int, name: str, port: int, path: str) -> bool:
    try:
        query = dns.message.make_query(name, dns.rdatatype.A)
        answer = dns.query.udp(query, dns_host, timeout=LIMIT_S, port=dns_port)
        address = next(record.address for records in answer.answer for record in records)
        connection = http.client.HTTPConnection(str(address), port, timeout=LIMIT_S)
        try:
            connection.request("GET", path, headers={"Host": f"{name}:{port}"})
            return connection.getresponse().status == 200
        finally:
            connection.close()
    except (OSError, StopIteration, http.client.HTTPException, dns.exception.DNSException):
        return False


if __name__ == "__main__":
    main(*sys.argv[1:])
