"""A wrong setting ends in one plain sentence that names it."""

from pathlib import Path

import pytest

from app.config import ConfigError, load_config
from app.core.urls import base_url


def test_nothing_set_is_a_good_start(tmp_path: Path) -> None:
    config = load_config({"DATA_DIR": str(tmp_path / "var")})
    assert config.public_url == "http://localhost:8000"
    assert config.rp_id == "localhost"
    assert config.is_embedded
    assert config.secret_key != config.node_key
    assert load_config({"DATA_DIR": str(tmp_path / "var")}).node_key == config.node_key
    assert (tmp_path / "var/node.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"), ("PORT", "x"), ("PUBLIC_URL", "http://werkring.example"), ("PUBLIC_URL", "werkring.example"),
        ("DATABASE_URL", "mysql://x"), ("FIRMS_MAY_JOIN", "yes"), ("SMTP_URL", "mail.example"), ("PUSH_CONTACT", "nobody"),
        ("PROXIES", "9"), ("LEGAL_DIR", "/no/such/folder"), ("NODE_KEY_FILE", "/no/such/file"), ("DATA_DIR", ""),
        ("PUBLIC_URL", "http://["), ("PUBLIC_URL", "https://werkring.example:abc"), ("PUBLIC_URL", "https://a@b.example"),
        ("PUBLIC_URL", "https://werkring.example/#x"), ("DATABASE_URL", "sqlite:////no/such/folder/file.sqlite"),
        ("DATABASE_URL", "postgresql://host:abc/name"), ("QUEUE_URL", "foo"), ("QUEUE_URL", "redis://host:abc"),
        ("QUEUE_URL", "redis://queue.example:6379/0"), ("QUEUE_URL", "redis://"),
        ("SMTP_URL", "smtp://"), ("SMTP_URL", "smtp://mail.example:abc"), ("NODE_NAME", "a b"), ("NODE_NAME", "x@y"),
        ("NODE_NAME", "Werkring"), ("NODE_NAME", "x" * 81), ("CLOCK_START", "garbage"), ("CLOCK_START", "2026-11-16T07:00"),
        ("CLOCK_START", "2026-11-16T07:00:00+01:00@soon"), ("FEDERATION_TEST_NODES", "localhost"),
        ("FEDERATION_TEST_NODES", "https://localhost"), ("FEDERATION_TEST_NODES", "https://werkring.example:443"),
        ("FEDERATION_TEST_NODES", "http://localhost:8101"), ("FEDERATION_TEST_NODES", "https://a@localhost:8443"),
        ("FEDERATION_TEST_NODES", "https://localhost:8443/x"), ("FEDERATION_TEST_NODES", "https://https://localhost:1"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name) as wrong:
        load_config({"DATA_DIR": str(tmp_path)} | {name: value})
    assert "\n" not in str(wrong.value)


def test_what_is_right_is_taken_as_it_is(tmp_path: Path) -> None:
    settings = {
        "PUBLIC_URL": "https://werkring.example:8443/", "NODE_NAME": "node-1.werkring.example", "QUEUE_URL": "rediss://h:6379/0",
        "SMTP_URL": "smtps://user:password@mail.example:465", "CLOCK_START": "2026-11-16T07:00:00+01:00@1795000000.5",
    }  # fmt: skip
    config = load_config(settings | {"DATA_DIR": str(tmp_path)})
    assert (config.public_url, config.origin) == ("https://werkring.example:8443",) * 2
    assert (config.node_name, config.queue_url) == ("node-1.werkring.example", "rediss://h:6379/0")
    assert load_config({"DATA_DIR": str(tmp_path), "PUBLIC_URL": "http://[::1]:8000"}).node_name == "localhost"


def test_nodes_of_a_test_are_on_this_machine_with_tls_or_without(tmp_path: Path) -> None:
    told = {"DATA_DIR": str(tmp_path), "FEDERATION_TEST_NODES": "localhost:8101,https://localhost:8443"}
    near = load_config(told).federation_test_nodes
    addresses = [base_url(node, near) for node in ("localhost:8101", "localhost:8443", "werkring.example")]
    assert addresses == ["http://localhost:8101", "https://localhost:8443", "https://werkring.example"]


def test_a_key_file_of_the_wrong_length_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("abcd")
    with pytest.raises(ConfigError, match="64 hexadecimal"):
        load_config({"DATA_DIR": str(tmp_path), "NODE_KEY_FILE": str(tmp_path / "key")})


def test_postgresql_addresses_are_understood_in_every_spelling(tmp_path: Path) -> None:
    for text in ("postgres://localhost/d", "postgresql://localhost/d", "postgresql+psycopg://localhost/d"):
        config = load_config({"DATA_DIR": str(tmp_path), "DATABASE_URL": text})
        assert config.database_url == "postgresql+psycopg://localhost/d"


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("postgresql://db.example/d", "db.example/d?sslmode=require"),
        ("postgresql://u:p@db.example/d?connect_timeout=3", "u:p@db.example/d?connect_timeout=3&sslmode=require"),
        ("postgresql://db.example/d?sslmode=verify-full", "db.example/d?sslmode=verify-full"),
        ("postgresql://db.example/d?sslmode=disable", "db.example/d?sslmode=disable"),
        ("postgresql:///d?host=/run/postgresql", "/d?host=/run/postgresql"),
        ("postgresql://127.0.0.1:5432/d", "127.0.0.1:5432/d"),
    ],
)
def test_a_database_on_another_machine_is_spoken_to_over_tls(tmp_path: Path, text: str, taken: str) -> None:
    config = load_config({"DATA_DIR": str(tmp_path), "DATABASE_URL": text})
    assert config.database_url == f"postgresql+psycopg://{taken}"


@pytest.fixture
def anchor(tmp_path: Path) -> dict[str, str]:
    """Good settings of a chain."""
    (tmp_path / "anchor.key").write_text("01" * 32 + "\n")
    (tmp_path / "anchor.key").chmod(0o600)
    return {
        "DATA_DIR": str(tmp_path), "ANCHOR_RPC_URL": "https://rpc.example/key", "ANCHOR_CHAIN_ID": "11155111",
        "ANCHOR_KEY_FILE": str(tmp_path / "anchor.key"),
    }  # fmt: skip


def test_a_chain_is_off_unless_it_is_set(tmp_path: Path, anchor: dict[str, str]) -> None:
    assert load_config({"DATA_DIR": str(tmp_path)}).anchor is None
    settings = load_config(anchor | {"ANCHOR_CONTRACT": "0x" + "Ab" * 20}).anchor
    assert settings is not None
    assert (settings.chain_id, settings.contract, settings.key) == (11155111, "0x" + "ab" * 20, b"\x01" * 32)
    assert "rpc.example" not in repr(settings)
    assert "\\x01" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANCHOR_RPC_URL", ""), ("ANCHOR_RPC_URL", "http://rpc.example"), ("ANCHOR_RPC_URL", "https://a:b@rpc.example"),
        ("ANCHOR_RPC_URL", "rpc.example"), ("ANCHOR_RPC_URL", "https://["), ("ANCHOR_CHAIN_ID", ""), ("ANCHOR_CHAIN_ID", "0"),
        ("ANCHOR_CHAIN_ID", "mainnet"), ("ANCHOR_KEY_FILE", ""), ("ANCHOR_KEY_FILE", "/no/such/file"),
        ("ANCHOR_CONTRACT", "0x12"), ("ANCHOR_CONTRACT", "x" * 42),
    ],
)  # fmt: skip
def test_half_a_chain_is_named(anchor: dict[str, str], name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name) as wrong:
        load_config(anchor | {name: value})
    assert "\n" not in str(wrong.value)


def test_a_contract_alone_is_no_chain(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ANCHOR_RPC_URL is missing"):
        load_config({"DATA_DIR": str(tmp_path), "ANCHOR_CONTRACT": "0x" + "11" * 20})


@pytest.mark.parametrize(
    ("text", "mode"), [("01" * 32, 0o644), ("01" * 31, 0o600), ("00" * 32, 0o600), ("ff" * 32, 0o600)]
)
def test_the_key_of_the_chain_is_private_and_a_key(anchor: dict[str, str], text: str, mode: int) -> None:
    path = Path(anchor["ANCHOR_KEY_FILE"])
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="ANCHOR_KEY_FILE"):
        load_config(anchor)
