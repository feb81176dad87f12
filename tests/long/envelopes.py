"""Ten thousand hostile envelopes from a partner with valid keys, and a few honest ones between them.

The node runs as a process of its own. What it holds at the end is what the honest ones alone leave in a copy of it;
every other one left one row for the audit, nobody was led into the house, and the memory did not grow.
"""

import datetime as dt
import http.client
import json
import random
import re
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import tests.tables  # noqa: F401
from app.core import clock
from app.core.db import Database
from app.federation.arriving import nonce_of
from app.federation.envelopes import Envelope
from app.worker import run_until_quiet
from tests.bench.server import Server, memory_mb
from tests.long.race_world import MONDAY
from tests.nodes.apart import apart, nodes_on_disk, one_clock
from tests.nodes.hostile import EFFECTS, INBOX, KINDS, Attacker, Knock, Listener, knock_on
from tests.nodes.job import ask, play
from tests.nodes.world import Node, link, messages

HOSTILE, SHORT_HOSTILE = 10_000, 400
REQUESTS, POSTS = 20, 100
SENDERS, SLOW = 2, 2
"""A partner has four bodies read at a time: with the slow ones these are all"""
MOST_GROWTH_MB, LONGEST_WAIT_S = 100, 5.0
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Found = dict[str, Any]


@dataclass
class Log:
    """What was answered, and which rows of the audit that should have left."""

    rows: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    guard: threading.Lock = field(default_factory=threading.Lock)


def run(is_short: bool, seed: int) -> Found:
    """The honest ones alone on a copy; then all of them, shuffled, beside bodies of one byte a second."""
    count = SHORT_HOSTILE if is_short else HOSTILE
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        start = stack.enter_context(one_clock())
        with clock.frozen(MONDAY):
            one, two = stack.enter_context(nodes_on_disk(folder, [["keller"], ["yilmaz"]]))
            honest = _prepare(one, two)
        known = {text for envelope in honest for text in UUID.findall(repr(envelope))}
        listener = Listener()
        stack.callback(listener.close)
        attacker = Attacker.at(two, "yilmaz", one, "keller", seed)
        attacker.trap = listener.port
        one.database.close()
        copy = shutil.copytree(one.config.data_dir, folder / "alone")
        with apart(one, start, copy):
            _send(one, [attacker.valid(envelope) for envelope in honest], Log())
        alone = _effects(copy, known)
        with apart(one, start) as server:
            log, growth_mb = _attack(one, attacker, server, honest, count)
        mixed = _effects(one.config.data_dir, known)
        faults = _audit_faults(one.config.data_dir, log)
        with apart(one, start):
            _send(one, [attacker.valid(attacker.envelope())], Log())
        caught = _effects(one.config.data_dir, known) != mixed
    is_good = mixed == alone and not faults and not log.wrong and listener.connections == 0 and caught
    return {
        "ok": is_good and growth_mb <= MOST_GROWTH_MB and (is_short or log.slowest_s <= LONGEST_WAIT_S),
        "hostile": count, "honest": len(honest), "same_effects": mixed == alone, "audit_faults": len(faults),
        "wrong_answers": len(log.wrong), "first": (log.wrong + faults)[:5], "statuses": dict(sorted(log.statuses.items())),
        "connections_inside": listener.connections, "memory_growth_mb": round(growth_mb, 1),
        "slowest_honest_s": round(log.slowest_s, 2), "planted_caught": caught,
    }  # fmt: skip


def _prepare(one: Node, two: Node) -> list[Envelope]:
    """A partnership with a signed job behind it; then Yilmaz has real requests for Keller that nobody has sent yet."""
    link(one, "keller", two, "yilmaz")
    play([one, two], [(two, "yilmaz")])
    partner_id = two.partner_id("yilmaz", one.address("keller"))
    for _ in range(REQUESTS):
        ask(two, [partner_id], key="yilmaz", file=b"")
    run_until_quiet(two.database)
    at = int(MONDAY.timestamp())
    sender, receiver, until = two.address("yilmaz"), one.address("keller"), at + 86_400
    real = [
        Envelope(row.id, sender, receiver, row.seq, row.kind, at, until, row.subject_id, row.body)
        for row in messages(two)
        if row.state == "waiting"
    ]
    assert len(real) >= REQUESTS
    attacker = Attacker.at(two, "yilmaz", one, "keller")
    posts = [attacker.envelope(seq=real[-1].seq + place, body={"n": place}) for place in range(1, POSTS + 1)]
    return [*real, *posts]


def _attack(
    node: Node, attacker: Attacker, server: Server, honest: Sequence[Envelope], count: int
) -> tuple[Log, float]:
    """All of it, several at a time; the first sender has all honest ones among its own, in their order."""
    log = Log()
    _warm_up(node, attacker, log)
    before = memory_mb(server.process.pid)
    shares: list[list[Any]] = [
        [KINDS[place % len(KINDS)] for place in range(n, count, SENDERS)] for n in range(SENDERS)
    ]
    for share in shares:
        attacker.rng.shuffle(share)
    places = sorted(attacker.rng.sample(range(len(shares[0])), min(len(honest), len(shares[0]))), reverse=True)
    for place, envelope in zip(places, reversed(honest), strict=True):
        shares[0].insert(place, envelope)
    senders = [
        threading.Thread(target=_send_share, args=(node, _own(attacker, n), shares[n], log)) for n in range(SENDERS)
    ]
    with _slow_bodies(node, attacker, log):
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
    return log, memory_mb(server.process.pid) - before


def _own(attacker: Attacker, number: int) -> Attacker:
    """The same attacker with dice of its own: threads must not share them."""
    return Attacker(
        attacker.own, attacker.victim, attacker.key, attacker.sender, attacker.receiver,
        random.Random(attacker.rng.random() + number), attacker.spoken, attacker.numbers, attacker.trap,
    )  # fmt: skip


def _warm_up(node: Node, attacker: Attacker, log: Log) -> None:
    for make in KINDS:
        _knock(node, make(attacker), log)


def _send_share(node: Node, attacker: Attacker, share: Sequence[Any], log: Log) -> None:
    for one in share:
        _knock(node, attacker.valid(one) if isinstance(one, Envelope) else one(attacker), log)


def _send(node: Node, knocks: Sequence[Knock], log: Log) -> None:
    for knock in knocks:
        _knock(node, knock, log)
    assert not log.wrong, log.wrong[:3]


def _knock(node: Node, knock: Knock, log: Log) -> None:
    """Until the answer is about this knock and not about the crowd."""
    while True:
        began = time.monotonic()
        status, told = knock_on(node, knock)
        with log.guard:
            log.statuses[status] += 1
            if knock.refused or status == 429:
                log.rows[nonce_of(knock.headers | _lower(knock.headers))] += 1
            else:
                log.slowest_s = max(log.slowest_s, time.monotonic() - began)
            if status != 429 and not knock.is_right(status, told):
                log.wrong.append(f"{knock.fault} answered {status} {str(told)[:80]}")
        if status != 429:
            return
        time.sleep(0.05)


@contextmanager
def _slow_bodies(node: Node, attacker: Attacker, log: Log) -> Iterator[None]:
    """Messages that are signed well and come one byte a second; at the end they break off."""
    is_over = threading.Event()
    knocks = [attacker.valid(attacker.envelope()) for _ in range(SLOW)]
    dripping = [threading.Thread(target=_drip, args=(node, knock, is_over, log)) for knock in knocks]
    for one in dripping:
        one.start()
    try:
        yield
    finally:
        is_over.set()
        for one in dripping:
            one.join()
        time.sleep(1)


def _drip(node: Node, knock: Knock, is_over: threading.Event, log: Log) -> None:
    host, _, port = node.config.node.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    connection.putrequest("POST", INBOX)
    for name, value in {**knock.headers, "Content-Length": str(len(knock.body))}.items():
        connection.putheader(name, value)
    connection.endheaders()
    for place in range(len(knock.body) - 1):
        if is_over.wait(1):
            break
        connection.send(knock.body[place : place + 1])
    connection.close()
    with log.guard:
        log.rows[nonce_of(_lower(knock.headers))] += 1


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _effects(folder: Path, known: set[str]) -> dict[str, list[str]]:
    """What messages left behind, once all that follows has followed: without times, and without ids made on the way."""
    database = Database(f"sqlite:///{folder}/werkring.sqlite")
    with clock.frozen(MONDAY):
        run_until_quiet(database)
    with database.read() as session:
        found = {
            table: [_plain(row, known) for row in session.execute(sa.text(f"SELECT * FROM {table}"))]
            for table in EFFECTS
        }
    database.close()
    return {table: sorted(rows) for table, rows in found.items()}


def _plain(row: Any, known: set[str]) -> str:
    told = {name: value for name, value in row._mapping.items() if not name.endswith(("_at", "_until", "since"))}
    text = json.dumps(told, default=str, sort_keys=True)
    return UUID.sub(lambda match: match[0] if match[0] in known else "*", text)


def _audit_faults(folder: Path, log: Log) -> list[str]:
    """Each knock that was not let in and its one row, told apart by the message's id; what was refused before is older."""
    rows = sa.text("SELECT message_id FROM message_refusal WHERE at > :start")
    database = Database(f"sqlite:///{folder}/werkring.sqlite")
    with database.read() as session:
        kept = Counter(session.scalars(rows, {"start": str(MONDAY.astimezone(dt.UTC).replace(tzinfo=None))}))
    database.close()
    ids = kept.keys() | log.rows.keys()
    return [f"{one}: {kept[one]} rows, {log.rows[one]} knocks" for one in ids if kept[one] != log.rows[one]]
