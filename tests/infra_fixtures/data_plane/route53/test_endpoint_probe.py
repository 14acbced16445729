"""What one checker sees of real endpoints."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infra_fixtures.data_plane.route53 import endpoint_probe
from infra_fixtures.data_plane.route53.endpoint_probe import EndpointProbe
from infra_fixtures.data_plane.route53.health import Endpoint as Watched
from infra_fixtures.run_layout import RunLayout
from tests.infra_fixtures.data_plane.route53.endpoint import Endpoint


def watched(
    port: int, kind: str = "HTTP", path: str = "/health", search: str | None = None, sni: bool = False
) -> Watched:
    """An endpoint called api.example on a port."""
    return Watched(kind, None, "api.example", port, path, search, 10, 3, sni, ())


async def check(at: Watched, host: str | None, pace: float = 10) -> str:
    """One look, where api.example leads to `host`."""
    async with EndpointProbe(pace, lambda name: host if name == "api.example" else None) as probe:
        return await probe.check(at, "check-1")


@pytest.mark.parametrize(
    ("status", "report"),
    [
        (200, "Success: HTTP Status Code 200, OK"),
        (302, "Success: HTTP Status Code 302, Found"),
        (404, "Failure: HTTP Status Code 404, Not Found"),
        (503, "Failure: HTTP Status Code 503, Service Unavailable"),
    ],
)
def test_a_status_of_2xx_or_3xx_is_success(layout: RunLayout, status: int, report: str) -> None:
    """The report says the status; redirects are not followed; the Host header carries name and port."""

    async def ask() -> str:
        async with Endpoint(layout.primary.edge.host) as endpoint:
            endpoint.status = status
            said = await check(watched(endpoint.port), endpoint.host)
            assert endpoint.asked == [("/health", f"api.example:{endpoint.port}")]
            return said

    assert asyncio.run(ask()).startswith(report)


@pytest.mark.parametrize(("before", "found"), [(5100, True), (5115, False)])
def test_a_string_must_stand_whole_in_the_first_5120_bytes(layout: RunLayout, before: int, found: bool) -> None:
    """A string that begins too late to end within 5,120 bytes is not found."""

    async def ask() -> str:
        async with Endpoint(layout.primary.edge.host) as endpoint:
            endpoint.body = b"-" * before + b"all is well"
            return await check(watched(endpoint.port, "HTTP_STR_MATCH", search="all is well"), endpoint.host)

    assert asyncio.run(ask()).startswith("Success" if found else "Failure")


def test_a_slow_response_and_a_slow_body_fail_in_time(layout: RunLayout) -> None:
    """Status or body after more than the limit (2 s, at pace 10 the floor of half a second) are different failures."""

    async def ask(path: str) -> tuple[str, float]:
        async with Endpoint(layout.primary.edge.host) as endpoint:
            endpoint.delay_s = 1.5
            began = time.monotonic()
            said = await check(watched(endpoint.port, "HTTP_STR_MATCH", path, search="well"), endpoint.host)
            return said, time.monotonic() - began

    for path, report in (("/", endpoint_probe.NO_RESPONSE), ("/slow-body", endpoint_probe.NO_BODY)):
        said, took_s = asyncio.run(ask(path))
        assert said == report
        assert 0.45 < took_s < 1.2


def test_a_listener_that_never_answers_is_no_response(layout: RunLayout) -> None:
    """A frozen process still has its connections accepted by the kernel: connected, but silent."""

    async def ask() -> str:
        server = await asyncio.start_server(lambda r, w: None, layout.primary.edge.host, 0)
        async with server:
            return await check(watched(server.sockets[0].getsockname()[1]), layout.primary.edge.host)

    assert asyncio.run(ask()) == endpoint_probe.NO_RESPONSE


def test_refused_and_unresolvable_say_so(layout: RunLayout) -> None:
    """Nobody listening is a refused connection; a name without an address is a resolution failure."""
    assert "refused" in asyncio.run(check(watched(1), layout.primary.edge.host)).lower()
    assert asyncio.run(check(watched(1), None)).startswith("Failure: DNS resolution failed")


def test_https_to_a_plain_port_says_that_tls_failed(layout: RunLayout) -> None:
    """A wrong scheme is a failed handshake, not an error of the operating system."""

    async def ask() -> str:
        async with Endpoint(layout.primary.edge.host) as endpoint:
            return await check(watched(endpoint.port, "HTTPS"), endpoint.host)

    assert asyncio.run(ask()).startswith("Failure: TLS handshake failed")


def test_tcp_succeeds_on_connection_alone(layout: RunLayout) -> None:
    """A TCP check wants a connection and nothing more."""

    async def ask() -> tuple[str, str]:
        async with Endpoint(layout.primary.edge.host) as endpoint:
            endpoint.status = 503
            open_port = await check(watched(endpoint.port, "TCP"), endpoint.host)
        return open_port, await check(watched(endpoint.port, "TCP"), endpoint.host)

    up, down = asyncio.run(ask())
    assert up.startswith("Success")
    assert down.startswith("Failure")


@pytest.mark.parametrize("sni", [False, True])
def test_https_does_not_validate_the_certificate(layout: RunLayout, tmp_path: Path, sni: bool) -> None:
    """An expired, self-signed certificate of another name does not fail a check; the name is sent only with EnableSNI."""
    named: list[str | None] = []
    context = _certificate(tmp_path)
    context.sni_callback = lambda _, name, __: named.append(name)

    async def ask() -> str:
        async with Endpoint(layout.primary.edge.host, tls=context) as endpoint:
            return await check(watched(endpoint.port, "HTTPS", sni=sni), endpoint.host)

    assert asyncio.run(ask()) == "Success: HTTP Status Code 200, OK"
    assert named == ["api.example" if sni else None]


def _certificate(directory: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody.else")])
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - 3 * day)
        .not_valid_after(now - day)
        .sign(key, hashes.SHA256())
    )
    path = directory / "both.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
