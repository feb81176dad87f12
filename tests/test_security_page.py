"""What SECURITY.md tells the one who runs a node is what the code does."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from app import factory
from app.core import db
from app.federation import photos
from app.federation import rules as federation
from app.machines import actions as machines
from app.machines import tables
from app.notary import routes as notary
from app.passkeys import rules as passkeys
from app.push import escalation, mails, sending
from app.requests import drawings, parsing
from app.requests import limits as requests
from app.web import json as web_json
from app.web import limits as web
from ledger.anchor import rpc

ROOT = Path(__file__).parents[1]
PAGE = " ".join((ROOT / "SECURITY.md").read_text().split())
MB = 1024 * 1024
CRYPTOGRAPHY = {
    "Crypto", "OpenSSL", "bcrypt", "coincurve", "crypt", "cryptography", "eth_account", "eth_hash", "eth_keys", "hashlib",
    "hmac", "itsdangerous", "jwt", "nacl", "passlib", "py_ecc", "py_vapid", "pyhanko", "pywebpush", "random", "secrets", "ssl",
    "uuid", "webauthn", "zlib",
}  # fmt: skip


def test_the_page_names_the_lives_of_sign_ins_invitations_and_codes() -> None:
    for said in (
        f"after {passkeys.SIGN_IN_REST.days} days without use and after {passkeys.SIGN_IN_LIFE.days} days at the latest",
        f"once, {passkeys.INVITATION_LIFE.total_seconds() / 3600:.0f} hours;",
        f"once, {passkeys.CODE_LIFE.total_seconds() / 60:.0f} minutes, opens only that invitation",
        f"has shown the passkey within {passkeys.FRESH.total_seconds() / 60:.0f} minutes",
        f"gone drafts after {requests.DRAFT_DAYS} days",
        f"mails and alerts {escalation.KEEP.days} days",
    ):
        assert said in PAGE


def test_the_page_names_the_limits() -> None:
    for what, value in (
        ("sign-in, per network (IPv6: /64)", limit_said(web.SIGN_IN)),
        ("codes, words, invitations, per network", limit_said(web.CODE)),
        ("wrong codes, whole node", limit_said(web.CODE_FAILURES)),
        ("founding, per network", limit_said(web.FOUND)),
        ("answers from lock screens, per network", limit_said(web.ANSWER)),
        ("pages and their parts, per person and process", pace_said(web.LOOKS)),
        ("forms and taps, per person and process", pace_said(web.DEEDS)),
        ("uploads, per person and process", pace_said(web.UPLOADS)),
        ("evidence, PDF, tables and drawings that leave as files, per person and process", pace_said(web.PROOFS)),
        ("evidence checked by anybody, per network", limit_said(web.CHECK)),
        ("open requests of a firm, and from one partner", f"{requests.MOST_OPEN}"),
        ("changes of one request", f"{requests.MOST_CHANGES_A_DAY} a day"),
        ("lines in one thread", f"{requests.MOST_LINES_A_DAY} a day"),
        (
            "body of a request, of a message between firms",
            f"{factory.MOST_BODY_BYTES // MB} MB, {federation.MOST_BODY_BYTES // 1024} kB",
        ),
        ("depth of JSON", f"{web_json.MOST_DEPTH}"),
    ):
        assert f"| {what} | {value} |" in PAGE
    assert requests.MOST_OPEN == requests.MOST_OPEN_FROM_ONE
    few = f"requests below {requests.SMALL_MIN // 60} hours to one partner | {requests.MOST_SMALL} in"
    assert f"{few} {requests.SMALL_WITHIN.days} days" in PAGE


def test_the_page_names_what_may_be_uploaded() -> None:
    assert f"| {drawings.MOST_BYTES // MB} MB, {parsing.MOST_UPLOADS} a request |" in PAGE
    pixels = [most // 1_000_000 for most in photos.MOST_PIXELS.values()]
    assert f"| {machines.MOST_PHOTO_BYTES // MB} MB; {pixels[0]} and {pixels[1]} million pixels |" in PAGE
    assert f"| {notary.MOST_BYTES // 1000} kB for the whole form |" in PAGE
    unpacked = (
        f"unpacked {tables.MOST_UNPACKED_BYTES // MB} MB, {tables.MOST_ROWS:,} rows, {tables.MOST_COLUMNS} columns"
    )
    assert f"| {tables.MOST_BYTES // MB} MB, {unpacked} |" in PAGE


def test_the_page_names_how_the_node_calls_others() -> None:
    wait = f"{sending.TIMEOUT.sock_connect} s to connect, {sending.TIMEOUT.total} s in all"
    crowd = f"{sending.MOST_AT_ONCE} at once, {sending.MOST_PER_ORIGIN} per service, a rest after {sending.BREAK_AFTER} faults"
    assert f"{wait}, {crowd}" in PAGE
    assert f"TLS, {mails.TIMEOUT_S} s" in PAGE
    assert f"no redirects, no proxy, {rpc.TIMEOUT_S} s, {rpc.MAX_ANSWER_BYTES // MB} MB" in PAGE
    pool = db.Database("postgresql+psycopg://localhost/none").engine.pool
    assert f"{pool.size() + pool._max_overflow} connections a process" in PAGE  # type: ignore[attr-defined]


def test_every_use_of_cryptography_stands_on_the_page() -> None:
    named = re.search(r"Used from: (.*?); a new one", PAGE)
    assert named is not None
    assert set(re.findall(r"`(\w+)`", named[1])) == set(imported()) & CRYPTOGRAPHY


def limit_said(limit: str) -> str:
    """'40 per minute; 400 per hour' as the page writes it."""
    return limit.replace(" per ", " a ").replace(" a hour", " an hour").replace(";", ",")


def pace_said(pace: web.Pace) -> str:
    return f"{pace.most} {'an hour' if pace.seconds == 3600 else 'a minute'}"


def imported() -> Iterator[str]:
    for path in (*(ROOT / "app").rglob("*.py"), *(ROOT / "ledger").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (name.name.split(".")[0] for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                yield node.module.split(".")[0]
