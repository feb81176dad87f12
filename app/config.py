"""Everything that can be set, read once from the environment into one frozen object."""

import datetime as dt
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "::1")
POSTGRES = ("postgresql://", "postgres://")
MOST_NODE_NAME = 80
ANCHOR_NEEDS = ("ANCHOR_RPC_URL", "ANCHOR_CHAIN_ID", "ANCHOR_KEY_FILE")
SECP256K1_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class ConfigError(Exception):
    """One plain sentence about the variable that is missing or wrong."""


@dataclass(frozen=True)
class AnchorConfig:
    """The public chain on which firms may anchor their logs; `contract` is empty until one was deployed."""

    rpc_url: str = field(repr=False)  # often holds the operator's access key
    chain_id: int
    contract: str
    key: bytes = field(repr=False)
    confirmations: int = 12
    """So many blocks, its own and those on it, make an anchor: a chain may take back its newest ones."""


@dataclass(frozen=True)
class Config:
    """All settings of one world. The practice world is a copy with its own keys, cookie and folder."""

    data_dir: Path
    database_url: str
    port: int
    public_url: str
    secret_key: bytes
    node_key: bytes
    node_key_file: Path
    node_name: str
    firms_may_join: bool
    smtp_url: str
    mail_from: str
    push_contact: str
    push_test_hosts: tuple[str, ...]
    federation_test_nodes: tuple[str, ...]
    """Hosts on this machine that count as nodes, for tests of several nodes; all others need https and a public address."""
    proxies: int
    queue_url: str
    clock_start: str
    practice: bool
    legal_dir: Path | None
    operator_key: str = field(default="", repr=False)
    """What opens the operator's page; '': there is none."""
    anchor: AnchorConfig | None = None
    is_practice: bool = False
    counts_people: bool = True
    """False only where tests knock faster than people can; no variable sets it"""

    @property
    def origin(self) -> str:
        """Scheme, host and port, as browsers send them in Origin."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def node(self) -> str:
        """Host and port under which other nodes reach this one."""
        return urlsplit(self.public_url).netloc

    @property
    def rp_id(self) -> str:
        """The WebAuthn relying party: the host of the public address, never the Host header."""
        return urlsplit(self.public_url).hostname or "localhost"

    @property
    def is_secure(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def is_embedded(self) -> bool:
        return self.database_url.startswith("sqlite")


def load_config(env: Mapping[str, str] = os.environ) -> Config:
    """Read the environment; raises ConfigError with one sentence that names the variable."""
    data_dir = _folder(env.get("DATA_DIR", "var"))
    port = _port(env.get("PORT", "8000"))
    public_url = _public_url(env.get("PUBLIC_URL", f"http://localhost:{port}"))
    return Config(
        data_dir=data_dir,
        database_url=_database_url(env.get("DATABASE_URL", ""), data_dir),
        port=port,
        public_url=public_url,
        secret_key=_key(env, "SECRET_KEY_FILE", data_dir / "secret.key"),
        node_key=_key(env, "NODE_KEY_FILE", data_dir / "node.key"),
        node_key_file=Path(env.get("NODE_KEY_FILE", data_dir / "node.key")),
        node_name=_node_name(env.get("NODE_NAME") or _host(public_url)),
        firms_may_join=_switch(env, "FIRMS_MAY_JOIN", True),
        smtp_url=_smtp_url(env.get("SMTP_URL", "")),
        mail_from=_mail(env.get("MAIL_FROM", "werkring@localhost.invalid"), "MAIL_FROM"),
        push_contact=_mail(env.get("PUSH_CONTACT", "betrieb@localhost.invalid"), "PUSH_CONTACT"),
        push_test_hosts=tuple(host for host in env.get("PUSH_TEST_HOSTS", "").split(",") if host),
        federation_test_nodes=_near_nodes(env.get("FEDERATION_TEST_NODES", "")),
        proxies=_number(env.get("PROXIES", "0"), "PROXIES", 0, 3),
        queue_url=_queue_url(env.get("QUEUE_URL", "")),
        clock_start=_clock_start(env.get("CLOCK_START", "")),
        practice=_switch(env, "PRACTICE", True),
        legal_dir=_legal_dir(env.get("LEGAL_DIR", "")),
        operator_key=_operator_key(env.get("OPERATOR_KEY_FILE", "")),
        anchor=_anchor(env),
    )


def _folder(text: str) -> Path:
    if not text:
        raise ConfigError("DATA_DIR must name a folder.")
    folder = Path(text).absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"DATA_DIR: the folder {text} cannot be made ({error.strerror}).") from None
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"DATA_DIR: the folder {text} is not writable.")
    return folder


def _port(text: str) -> int:
    return _number(text, "PORT", 1, 65535)


def _number(text: str, name: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise ConfigError(f"{name} must be a whole number from {least} to {most}, not {text!r}.")
    return int(text)


def _public_url(text: str) -> str:
    parts = _parts(text)
    is_bare = parts is not None and parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname or not is_bare:
        raise ConfigError(f"PUBLIC_URL must look like https://werkring.example, not {text!r}.")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ConfigError("PUBLIC_URL must begin with https:// unless it is localhost: passkeys need it.")
    return text.rstrip("/")


def _parts(url: str) -> SplitResult | None:
    """The parts of an address; None for one with broken brackets or a port that is no number."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _host(public_url: str) -> str:
    host = urlsplit(public_url).hostname or ""
    return "localhost" if host in LOOPBACK else host


def _node_name(text: str) -> str:
    if len(text) > MOST_NODE_NAME or not re.fullmatch(r"[a-z0-9]+([.-][a-z0-9]+)*", text):
        raise ConfigError(f"NODE_NAME must look like werkring.example, not {text!r}.")
    return text


def _database_url(text: str, data_dir: Path) -> str:
    if not text:
        return f"sqlite:///{data_dir / 'werkring.sqlite'}"
    if text.startswith("sqlite:///"):
        folder = Path(text.removeprefix("sqlite:///")).absolute().parent
        if not folder.is_dir():
            raise ConfigError(f"DATABASE_URL: the folder {folder} does not exist.")
        return text
    for prefix in ("postgresql+psycopg://", *POSTGRES):
        if text.startswith(prefix) and _parts(text) is not None:
            return "postgresql+psycopg://" + _with_tls(text).removeprefix(prefix)
    raise ConfigError("DATABASE_URL must look like sqlite:////folder/file or postgresql://user:password@host/database.")


def _with_tls(url: str) -> str:
    """The driver alone would fall back to plain text: on another machine that has to be asked for (`sslmode=disable`)."""
    parts = urlsplit(url)
    if parts.hostname in (None, *LOOPBACK) or "sslmode=" in parts.query:
        return url
    return f"{url}{'&' if parts.query else '?'}sslmode=require"


def _queue_url(text: str) -> str:
    """Tasks are pickles: whoever can write into the queue, also on the way to it, can run code here."""
    parts = _parts(text)
    if text and (parts is None or not text.startswith((*POSTGRES, "redis://", "rediss://"))):
        raise ConfigError("QUEUE_URL must look like redis://localhost/0 or postgresql://user:password@host/database.")
    if parts is not None and parts.scheme == "redis" and parts.hostname not in LOOPBACK:
        raise ConfigError(
            "QUEUE_URL must begin with rediss:// unless it is localhost: nobody may change tasks on the way."
        )
    return _with_tls(text) if text.startswith(POSTGRES) else text


def _clock_start(text: str) -> str:
    """An ISO time with zone; after an @ the second since 1970 at which it began."""
    time, _, began = text.partition("@")
    try:
        is_good = not text or (dt.datetime.fromisoformat(time).tzinfo is not None and float(began or 0) >= 0)
    except ValueError:
        is_good = False
    if not is_good:
        raise ConfigError(f"CLOCK_START must look like 2026-11-16T07:00:00+01:00, not {text!r}.")
    return text


def _switch(env: Mapping[str, str], name: str, default: bool) -> bool:
    text = env.get(name, "")
    if text not in ("", "on", "off"):
        raise ConfigError(f"{name} must be on or off, not {text!r}.")
    return default if not text else text == "on"


def _key(env: Mapping[str, str], name: str, default: Path) -> bytes:
    """Read 32 bytes in hex; a missing default file is made once, a missing named file is an error."""
    path = Path(env.get(name, default))
    if not path.exists() and name not in env:
        _make_key(path)
    return _read_key(path, name)


def key_in(path: Path, name: str) -> bytes:
    """The key of a file that is made when it is not there yet."""
    if not path.exists():
        _make_key(path)
    return _read_key(path, name)


def _read_key(path: Path, name: str) -> bytes:
    try:
        key = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError):
        raise ConfigError(f"{name}: {path} must be a readable file with 64 hexadecimal digits.") from None
    if len(key) != 32:
        raise ConfigError(f"{name}: {path} must hold 64 hexadecimal digits.")
    return key


def _make_key(path: Path) -> None:
    """Create the file under a private name first, so that two processes starting together agree on one key."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _smtp_url(text: str) -> str:
    parts = _parts(text)
    if text and (parts is None or parts.scheme not in ("smtp", "smtps") or not parts.hostname):
        raise ConfigError("SMTP_URL must look like smtps://user:password@mail.example:465.")
    return text


def _mail(text: str, name: str) -> str:
    if text.count("@") != 1 or any(c.isspace() for c in text):
        raise ConfigError(f"{name} must be an e-mail address, not {text!r}.")
    return text


def _near_nodes(text: str) -> tuple[str, ...]:
    """Hosts with ports, parted by commas, behind https:// where they speak TLS.

    Only ones on this machine, or a hostile address could be let in by mistake.
    """
    nodes = tuple(node for node in text.split(",") if node)
    for node in nodes:
        host = node.removeprefix("https://")
        parts = _parts(f"http://{host}")
        if parts is None or parts.netloc != host or "@" in host or parts.hostname not in LOOPBACK or parts.port is None:
            raise ConfigError(
                f"FEDERATION_TEST_NODES must look like localhost:8101,https://localhost:8443, not {text!r}."
            )
    return nodes


def _legal_dir(text: str) -> Path | None:
    if not text:
        return None
    if not Path(text).is_dir():
        raise ConfigError(f"LEGAL_DIR: the folder {text} does not exist.")
    return Path(text)


def _operator_key(name: str) -> str:
    if not name:
        return ""
    path = Path(name)
    key = _read_key(path, "OPERATOR_KEY_FILE")
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"OPERATOR_KEY_FILE: {path} must have mode 600, for its key opens the operator's page.")
    return key.hex()


def _anchor(env: Mapping[str, str]) -> AnchorConfig | None:
    """All of them, or none: half a setting would look like an anchor and be none."""
    if not any(env.get(name) for name in (*ANCHOR_NEEDS, "ANCHOR_CONTRACT")):
        return None
    for name in ANCHOR_NEEDS:
        if not env.get(name):
            raise ConfigError(f"{name} is missing: anchoring needs it beside the other ANCHOR_ settings.")
    contract = env.get("ANCHOR_CONTRACT", "").lower()
    if contract and not re.fullmatch(r"0x[0-9a-f]{40}", contract):
        raise ConfigError(f"ANCHOR_CONTRACT must be 0x and 40 hexadecimal digits, not {contract!r}.")
    return AnchorConfig(
        _rpc_url(env["ANCHOR_RPC_URL"]),
        _number(env["ANCHOR_CHAIN_ID"], "ANCHOR_CHAIN_ID", 1, 2**53 - 1),
        contract,
        _anchor_key(Path(env["ANCHOR_KEY_FILE"])),
        _number(env.get("ANCHOR_CONFIRMATIONS") or "12", "ANCHOR_CONFIRMATIONS", 1, 10_000),
    )


def _rpc_url(text: str) -> str:
    parts = _parts(text)
    is_near = parts is not None and parts.scheme == "http" and parts.hostname in LOOPBACK
    if parts is None or not parts.hostname or parts.username is not None or not (is_near or parts.scheme == "https"):
        raise ConfigError("ANCHOR_RPC_URL must look like https://rpc.example, or http:// on this machine.")
    return text


def _anchor_key(path: Path) -> bytes:
    key = _read_key(path, "ANCHOR_KEY_FILE")
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"ANCHOR_KEY_FILE: {path} must have mode 600, for its key pays for every anchor.")
    if not 0 < int.from_bytes(key, "big") < SECP256K1_ORDER:
        raise ConfigError(f"ANCHOR_KEY_FILE: {path} holds no key of this curve; take other random digits.")
    return key
