"""The way out of the house: to a node on this machine only where it is named, and never past a wrong certificate."""

import datetime as dt
import http.server
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ROOT = Path(__file__).parents[2]
# a process of its own: which certificates count is read once, when the client is loaded
ASK = """
import asyncio, sys
from app.core.outgoing import Unreachable, courier

async def ask(near, url):
    async with courier(near) as post:
        try:
            return (await post.send("GET", url, {})).status
        except Unreachable:
            return "no"

port = sys.argv[1]
tls, plain, other = f"https://localhost:{port}", f"localhost:{port}", f"https://127.0.0.1:{port}"
asked = [((tls,), tls), ((plain,), tls), ((), tls), ((tls,), other), ((tls,), f"http://localhost:{port}")]
print(*[asyncio.run(ask(near, url)) for near, url in asked])
"""


class Hello(http.server.BaseHTTPRequestHandler):
    """Says 200 to everybody."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for localhost that nobody on this machine trusts, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "localhost.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + secret)
    return path


@pytest.fixture
def port(certificate: Path) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def test_a_node_on_this_machine_is_reached_by_tls_only_where_it_is_named_and_its_certificate_is_trusted(
    port: int, certificate: Path
) -> None:
    assert asked(port, SSL_CERT_FILE=str(certificate)) == ["200", "no", "no", "no", "no"]
    assert asked(port) == ["no"] * 5


def asked(port: int, **env: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(port)],
        cwd=ROOT,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()
