"""Over TLS, as on AWS: the name is checked, connections are kept, a certificate nobody trusts is surely not done."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import polars as pl
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.traffic.conftest import Stage, await_ops
from tests.traffic.order_service import OrderService
from traffic.load import Load, Service

NAME = "api.dr-drill.example"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for the service's name, and its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "service.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return path


def test_orders_go_over_tls_with_the_name_checked(stage: Stage, certificate: Path) -> None:
    """Trusted, every order is stored over kept connections; untrusted, none leaves the machine."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    host = stage.layout.primary.gateway.host
    stage.names.addresses = (host,)
    service = Service(f"https://{NAME}:18443", dns_host=stage.layout.dns.host, dns_port=stage.layout.dns.port)
    load = Load(orders_per_s=100, reads_per_s=0, cohorts={"follower": 0.5, "sticky": 0.5})
    with OrderService(host, 18443, "us-east-1", tls=context) as secured:
        trusting = {"SSL_CERT_FILE": str(certificate)}
        with stage.generator(load, "trusting", service=service, environment=trusting) as generator:
            await_ops(generator, 60)
        writes = generator.ops().filter(op="write")
        assert set(writes.select("outcome", "error").iter_rows()) == {("ok", None)}
        assert sorted(writes["key"]) == sorted(secured.writes())
        assert secured.connections < writes.height / 3

        arrived = len(secured.seen)
        with stage.generator(load, "wary", service=service) as generator:
            await_ops(generator, 10)
        refused = generator.ops().filter(pl.col("error") != "stopped")
        assert set(refused.select("outcome", "error").iter_rows()) == {("fail", "tls")}
        assert len(secured.seen) == arrived
