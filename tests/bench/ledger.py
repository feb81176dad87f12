"""Appending against a bare durable write; verifying a whole ledger against the bare curve operations, and by two."""

import os
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, islice
from pathlib import Path
from time import process_time
from typing import Any

import coincurve
import pysqlite3.dbapi2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import tests.tables  # noqa: F401
from app.core import clock
from app.core.db import Database
from app.notary import queries
from app.notary.actions import check_signature
from app.notary.models import LedgerHead
from ledger import records
from ledger.encoding import to_hex
from ledger.fsck import check_log, export_log
from ledger.keccak import keccak256
from ledger.replay import verify_entries
from tests.bench.figure import ROUNDS, Figure, alternating_s, figure
from tests.ledger.world import Firm
from tests.long.race_world import MONDAY
from tests.notary.world import House, append_lapse, append_sealed, found_house, sealed_lapse

APPENDS = 100
RECORDS = 1_000
LONG = 10_000
EVIDENCE_BYTES = 1_500
GOAL_APPEND, GOAL_VERIFY, GOAL_BY_TWO = 0.5, 0.65, 0.7
"""Shares of the floor's speed; by two of twice the speed of one"""
_BARE_ROWS = (
    # rows of other firms, in the house's own tables
    "INSERT INTO ledger_entry (firm_id, seq, type, leaf, leaf_hash, digest, evidence_sha256, subject_id, at)"
    " SELECT 'bare', :seq, type, leaf, leaf_hash, :digest, evidence_sha256, subject_id, at FROM ledger_entry"
    " WHERE firm_id = 'keller' AND seq = 0",
    "INSERT INTO ledger_evidence (firm_id, sha256, body) SELECT 'bare', :digest, body FROM ledger_evidence"
    " WHERE firm_id = 'keller' LIMIT 1",
    "UPDATE ledger_head SET size = :seq, last_hash = :digest, root = substr(:digest, 3) WHERE firm_id = 'bare'",
)


def run() -> list[Figure]:
    """Appends over bare fdatasyncs a second; verified records over bare verifications; two processes over twice one."""
    return [*_append(), _verify(), _verify_by_two()]


def _append() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, clock.frozen(MONDAY):
        database = Database(f"sqlite:///{folder}/ledger.sqlite")
        database.create_tables()
        with database.write() as session:
            whole, checked = found_house(session, "keller"), found_house(session, "yilmaz")
            found_house(session, "bare")
        descriptor = os.open(Path(folder) / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        by_driver = _bare_connection(Path(folder) / "ledger.sqlite")
        written: dict[str, list[int]] = {"whole": [], "checked": []}
        works: list[Callable[[], object]] = [
            _appending(database, whole, written["whole"]),
            _entering(database, checked, written["checked"]),
            lambda: _write_bare(descriptor),
            partial(_commit_bare, by_driver, count(1)),
        ]
        whole_s, entered_s, floor_s, peer_s = alternating_s(works)
        os.close(descriptor)
        by_driver.close()
        is_right = all(
            _is_whole(database, house, seqs) for house, seqs in zip((whole, checked), written.values(), strict=True)
        )
        database.close()
    floor, peer = APPENDS / floor_s, APPENDS / peer_s
    return [
        figure(
            "ledger_appends_per_s", APPENDS / entered_s, floor=floor, peer=peer, ratio=floor_s / entered_s, goal=GOAL_APPEND,
            is_good=is_right and floor_s / entered_s >= GOAL_APPEND, holds="what is locked, and the checkpoint",
        ),
        figure(
            "ledger_appends_with_sealing_per_s", APPENDS / whole_s, floor=floor, peer=peer, ratio=floor_s / whole_s,
            is_good=is_right, holds="message, seal, all checks, what is locked, and the checkpoint",
        ),
    ]  # fmt: skip


def _appending(database: Database, house: House, written: list[int]) -> Callable[[], None]:
    """Records from the first word on, each in a durable transaction: message, seal, checks, leaf, tree, checkpoint."""

    def append() -> None:
        for _ in range(APPENDS):
            with database.write() as session:
                written.append(append_lapse(session, house, len(written)))

    return append


def _entering(database: Database, house: House, written: list[int]) -> Callable[[], None]:
    """Records that were sealed and whose seal was checked before the lock, as an approval is; all the rest is timed."""
    with database.read() as session:
        sealed = [sealed_lapse(session, house, number) for number in range(APPENDS * (ROUNDS + 1))]
        for message, _display, signature in sealed:
            check_signature(session, house.firm_id, None, queries.digest("AgreementLapsed", message), signature)

    def append() -> None:
        for _ in range(APPENDS):
            with database.write() as session:
                number = len(written)
                written.append(append_sealed(session, house, number, *sealed[number]))

    return append


def _is_whole(database: Database, house: House, written: list[int]) -> bool:
    """Every append got the next place, and the log has its checkpoint."""
    with database.read() as session:
        head = session.get_one(LedgerHead, house.firm_id)
        is_signed = head.signed_size == head.size == len(written) + 1
    return is_signed and written == list(range(1, APPENDS * (ROUNDS + 1) + 1))


def _write_bare(descriptor: int) -> None:
    body = bytes(EVIDENCE_BYTES)
    for _ in range(APPENDS):
        os.write(descriptor, body)
        os.fdatasync(descriptor)


def _commit_bare(connection: Any, count: Iterator[int]) -> None:
    """The peer: rows of the same size in the same tables, durable, by the bare driver and without any check."""
    for seq in islice(count, APPENDS):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("SELECT * FROM ledger_head WHERE firm_id = 'bare'").fetchone()
        for statement in _BARE_ROWS:
            connection.execute(statement, {"seq": seq, "digest": f"0x{seq:064x}"})
        connection.execute("COMMIT")


def _bare_connection(path: Path) -> Any:
    connection = pysqlite3.dbapi2.connect(str(path), isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def _verify() -> Figure:
    firm = _full_log(RECORDS)
    entries = firm.entries()
    ours_s, floor_s = alternating_s([lambda: verify_entries(entries, firm.origin), _bare_curves()], clock=process_time)
    share = floor_s / ours_s
    return figure(
        "ledger_verifies_per_s", RECORDS / ours_s, floor=RECORDS / floor_s, ratio=share, goal=GOAL_VERIFY,
        is_good=len(entries) == RECORDS + 1 and share >= GOAL_VERIFY,
    )  # fmt: skip


def _verify_by_two() -> Figure:
    """An exported log, long enough for a second process to come up: two of them against twice the speed of one."""
    firm = _full_log(LONG)
    lines = list(export_log(firm.origin, firm.entries(), [(firm.head.size, firm.note())]))
    found: list[int] = []

    def check(processes: int) -> None:
        found.append(check_log(lines, processes=processes).signatures)

    two_s, one_s = alternating_s([partial(check, 2), partial(check, 1)])
    share = one_s / two_s / 2
    return figure(
        "ledger_verifies_by_two_per_s", LONG / two_s, peer=LONG / one_s, ratio=share, goal=GOAL_BY_TWO,
        is_good=set(found) == {2 * LONG + 4} and share >= GOAL_BY_TWO, cores=len(os.sched_getaffinity(0)),
    )  # fmt: skip


def _full_log(count: int) -> Firm:
    """A genesis record, and then records with one passkey and one seal each."""
    firm = Firm("rennsteig@werkring.example", "werkring.example/0193-rennsteig")
    firm.enter_genesis()
    for number in range(count):
        text = f"Freigabe {number}: Belegung der Fräse bis zum Jahresende."
        data_set = to_hex(keccak256(str(number).encode()))
        record = records.ShareGrant(
            **firm.common(to="saale@werkring.example", text=text), data_set=data_set, purpose="Plan"
        )
        firm.enter(record, lambda digest: [firm.sign_by_passkey(digest), firm.sign_by_seal(digest)], text)
    return firm


def _bare_curves() -> Callable[[], None]:
    """What no program can save: one P-256 verification and one secp256k1 recovery a record, each of its own signature."""
    key, curve, seal = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256()), coincurve.PrivateKey()
    messages = [os.urandom(69) for _ in range(RECORDS)]
    signed = [(key.sign(message, curve), message) for message in messages]
    sealed = [(seal.sign_recoverable(message[:32], hasher=None), message[:32]) for message in messages]
    public = key.public_key()

    def work() -> None:
        for signature, message in signed:
            public.verify(signature, message, curve)
        for signature, digest in sealed:
            coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None)

    return work
