"""What the embedded AWS API holds: start-up, the front's own share of a call, S3 puts a second, delivery of a change."""

from __future__ import annotations

import http.client
import statistics
import threading
import time
from collections.abc import Iterator, Mapping

import msgspec

from benchmarks.measuring.figure import Failed, Figure
from benchmarks.measuring.place import private_aws
from infra_fixtures.access import sigv4
from infra_fixtures.access.credentials import AccessKey
from infra_fixtures.internal_api.changes import Change
from infra_fixtures.run_layout import Address, RunLayout

ROUNDS = 5
CALLS = 200
CLIENTS = 4
BODY = b"x" * 300


def measure() -> Iterator[Figure]:
    """Seconds to ready, microseconds of the front, puts a second, milliseconds from an answer to its change."""
    began = time.monotonic()
    with private_aws() as layout:
        yield Figure("ready after", time.monotonic() - began, "s")
        aws, key = _connected(layout.primary.aws), layout.credentials.user
        _call(aws, key, "PUT", "/receipts")
        _puts(aws, key, "warm")
        internal = _connected(layout.internal)
        alone = [_median_us(internal, layout.credentials.bearer) for _ in range(ROUNDS)]
        yield Figure.of("round trip through the front alone", alone, "us")
        yield Figure.of("S3 puts, 1 client", [_puts(aws, key, str(n)) for n in range(ROUNDS)], "/s")
        yield Figure.of(f"S3 puts, {CLIENTS} clients", [_puts_of_many(layout, n) for n in range(ROUNDS)], "/s")
        delays = _delivery_ms(layout, aws)
        yield Figure.of("a change after its call's answer", delays, "ms", "negative: told before")


def _delivery_ms(layout: RunLayout, aws: http.client.HTTPConnection) -> list[float]:
    listening = _connected(layout.internal)
    listening.request("GET", "/_drill/changes", headers=layout.credentials.bearer)
    stream = listening.getresponse()
    stream.readline()
    delays, heard = [], []

    def listen() -> None:
        for _ in range(CALLS):
            change = msgspec.json.decode(stream.readline(), type=Change)
            heard.append((change.action, time.monotonic_ns()))

    thread = threading.Thread(target=listen)
    thread.start()
    returned = []
    for n in range(CALLS):
        _call(aws, layout.credentials.user, "PUT", f"/receipts/told/{n}", BODY)
        returned.append(time.monotonic_ns())
    thread.join()
    for answered, (action, at) in zip(returned, heard, strict=True):
        if action != "PutObject":
            raise Failed(f"a PutObject was told as {action}")
        delays.append((at - answered) / 1e6)
    return delays


def _puts_of_many(layout: RunLayout, round_: int) -> float:
    def work(client: int) -> None:
        _puts(_connected(layout.primary.aws), layout.credentials.user, f"{round_}/{client}")

    threads = [threading.Thread(target=work, args=(c,)) for c in range(CLIENTS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return CLIENTS * CALLS / (time.perf_counter() - began)


def _puts(connection: http.client.HTTPConnection, key: AccessKey, prefix: str) -> float:
    began = time.perf_counter()
    for n in range(CALLS):
        _call(connection, key, "PUT", f"/receipts/{prefix}/{n}", BODY)
    return CALLS / (time.perf_counter() - began)


def _median_us(connection: http.client.HTTPConnection, bearer: Mapping[str, str]) -> float:
    times = []
    for _ in range(CALLS):
        began = time.perf_counter_ns()
        connection.request("GET", "/_drill/ready", headers=bearer)
        connection.getresponse().read()
        times.append(time.perf_counter_ns() - began)
    return statistics.median(times) / 1000


def _call(connection: http.client.HTTPConnection, key: AccessKey, method: str, path: str, body: bytes = b"") -> None:
    host, payload = f"{connection.host}:{connection.port}", sigv4.digest(body)
    signed = sigv4.sign(key, method, host, path, region="us-east-1", service="s3", payload=payload)
    connection.request(method, path, body=body, headers=signed)
    response = connection.getresponse()
    response.read()
    if response.status != 200:
        raise Failed(f"{method} {path} was answered with {response.status}")


def _connected(to: Address) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(to.host, to.port, timeout=30)
