"""An honest push service on loopback: it believes only right VAPID tokens, decrypts like a phone, and can misbehave."""

import base64
import json
import threading
import time
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import http_ece
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

DAY_S = 86_400
MOST_BODY = 4096


@dataclass
class Phone:
    """One subscription with its private half, as a browser holds it."""

    url: str
    path: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = b"0123456789abcdef"

    @property
    def endpoint(self) -> str:
        return self.url + self.path

    @property
    def p256dh(self) -> str:
        return to_text(self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    def json(self) -> dict[str, Any]:
        keys = {"p256dh": self.p256dh, "auth": to_text(self.auth)}
        return {"endpoint": self.endpoint, "expirationTime": None, "keys": keys}

    def read(self, body: bytes) -> dict[str, Any]:
        plain = http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        message: dict[str, Any] = json.loads(plain)
        return message


@dataclass(frozen=True)
class Got:
    """One message that arrived in full and could be read."""

    path: str
    headers: dict[str, str]
    size: int
    message: dict[str, Any]


class PushService(ThreadingHTTPServer):
    """`behave[path]` is a status, 'slow', 'big' or a redirect target; what it cannot believe is in `faults`."""

    daemon_threads = True

    def __init__(self, public_key: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.host = f"127.0.0.1:{self.server_port}"
        self.public_key = public_key
        self.phones: dict[str, Phone] = {}
        self.behave: dict[str, Any] = {}
        self.headers_for: dict[str, dict[str, str]] = {}
        self.got: list[Got] = []
        self.faults: list[str] = []
        self.hits: list[str] = []
        self.closing = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def new_phone(self, name: str) -> Phone:
        phone = self.phones[f"/push/{name}"] = Phone(self.url, f"/push/{name}")
        return phone

    def close(self) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()
        self._thread.join(5)


class Handler(BaseHTTPRequestHandler):
    """Judges one POST; everything else is a hit that should never be."""

    server: PushService
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        self.server.hits.append(f"GET {self.path}")
        self._say(200)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.hits.append(f"POST {self.path}")
        behaviour = self.server.behave.get(self.path, 201)
        if behaviour == "slow":
            self.server.closing.wait(30)
            self.close_connection = True
            return None
        if behaviour == "big":
            return self._say(500, b"x" * 65_536)
        if isinstance(behaviour, str):
            return self._say(307, headers={"Location": behaviour})
        if behaviour != 201:
            return self._say(behaviour, b"no", self.server.headers_for.get(self.path, {}))
        fault = self._fault(body)
        if fault:
            self.server.faults.append(fault)
            return self._say(403, fault.encode())
        return self._say(201)

    def _fault(self, body: bytes) -> str:
        phone = self.server.phones.get(self.path)
        if phone is None:
            return "unknown subscription"
        if len(body) > MOST_BODY or self.headers.get("Content-Encoding") != "aes128gcm":
            return "size or encoding"
        if not (self.headers.get("TTL") or "").isdigit():
            return "TTL"
        fault = vapid_fault(self.headers.get("Authorization") or "", self.server.url, self.server.public_key)
        if not fault:
            self.server.got.append(Got(self.path, _lower(self.headers), len(body), phone.read(body)))
        return fault

    def _say(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def vapid_fault(header: str, origin: str, public_key: str) -> str:
    """Say what is wrong with an Authorization header (RFC 8292), '' when it is right."""
    scheme, _, rest = header.partition(" ")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    if scheme != "vapid" or set(parts) != {"t", "k"}:
        return "no vapid header"
    if public_key and parts["k"] != public_key:
        return "another key"
    head, claims, signature = parts["t"].split(".")
    if not _is_signed(parts["k"], f"{head}.{claims}".encode(), from_text(signature)):
        return "signature"
    said = json.loads(from_text(claims))
    if said.get("aud") != origin:
        return "audience"
    if not time.time() < said.get("exp", 0) <= time.time() + DAY_S:
        return "expiry"
    return "" if str(said.get("sub", "")).startswith("mailto:") and "@" in said["sub"] else "contact"


def _is_signed(key: str, signed: bytes, signature: bytes) -> bool:
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_text(key))
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        point.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return len(signature) == 64


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def to_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_text(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
