"""Taking everything: one archive of one firm, as it stood at one moment."""

import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import Database
from app.core.outbox import OutboxRow
from app.federation.models import StoredFile
from app.firms.actions import bump_version, note_event
from app.firms.models import Firm
from app.moving.archive import Packer
from app.moving.calendars import calendars
from app.moving.leaving import go_to_node
from app.moving.rows import fingerprint, owned_tables, read_rows, write_line
from app.moving.rules import COPY, LOG, README, MovingError, body_file, rows_file
from app.moving.tables import people_tables
from app.notary.actions import sign_checkpoint
from app.notary.heads import LEFT, stored_head
from app.notary.queries import VerificationError, export_log, origin
from app.notary.transfer import closed_for_travel, is_elsewhere, leave_log
from app.notary.witnesses import halt_of

GUIDE = Path(__file__).with_name(README)


def firm_at(session: Session, address: str) -> str:
    """The id of the firm with that address; raises MovingError."""
    firm_id = session.scalar(sa.select(Firm.id).where(Firm.address == address))
    if firm_id is None or halt_of(session, firm_id) == LEFT:
        raise MovingError(f"There is no firm {address} on this node.")
    return firm_id


def leave_node(database: Database, firm_id: str, to: str = "") -> None:
    """Before a move: what happened is settled, the log is signed to its end, and nothing is appended here any more.

    `to`: host and port of the new node, which partners are told in the firm's own name.

    May be done again, as long as nobody imported the archive. Raises MovingError while events wait for the worker.
    """
    with database.write() as session:
        waiting = waiting_events(session, firm_id)
        if waiting and not is_elsewhere(session, firm_id):
            raise MovingError(f"{waiting} events of this firm are not settled yet: let the node run, and try again.")
        if not leave_log(session, firm_id):
            raise MovingError("The log of this firm rests: settle that first, its page about witnesses says how.")
        if to:
            go_to_node(session, firm_id, to)
        note_event(session, firm_id, None, "firm_moved", once_key="firm_moved")
        bump_version(session, firm_id)
    # a crash here leaves a log that rests: the same command goes on
    sign_checkpoint(database, firm_id)


def note_export(session: Session, firm_id: str, person_id: str | None) -> None:
    """The firm's own Protokoll tells that its data left, and by whom; None: the operator."""
    note_event(session, firm_id, person_id, "firm_exported" if person_id else "firm_exported_by_operator")


def write_archive(
    database: Database,
    firm_id: str,
    file: IO[bytes],
    transfer_key: bytes,
    folder: Path,
    *,
    kind: str = COPY,
    node: str = "",
) -> dict[str, Any]:
    """Write the firm's archive and return the facts about its files; `folder` takes drafts, which are gone afterwards."""
    with database.snapshot() as session, tarfile.open(fileobj=file, mode="w:gz") as tar:
        packer = Packer(tar, folder, int(clock.now().timestamp()))
        firm = session.get_one(Firm, firm_id)
        facts = {
            "kind": kind,
            "firm": {"id": firm_id, "address": firm.address, "log": origin(session, firm_id)},
            "node": node,
            "at": clock.now().isoformat(),
            "schema": fingerprint(),
            "ledger": _ledger_facts(session, firm_id),
        }
        packer.add(README, [GUIDE.read_bytes()])
        _pack_rows(packer, session, firm_id, transfer_key)
        _pack_bodies(packer, session, firm_id)
        packer.add(LOG, export_log(session, firm_id))
        _pack_whole(packer, "tables", people_tables(session, firm_id).items())
        _pack_whole(packer, "calendar", calendars(session, firm_id).items())
        packer.finish(facts, transfer_key)
    return packer.files


def waiting_events(session: Session, firm_id: str) -> int:
    """How many events of the firm are not settled. Parked ones do not count: they wait for a person, here."""
    return int(
        session.scalar(
            sa.select(sa.func.count())
            .select_from(OutboxRow)
            .where(OutboxRow.firm_id == firm_id, OutboxRow.settled_at.is_(None), OutboxRow.parked_at.is_(None))
        )
        or 0
    )


def _ledger_facts(session: Session, firm_id: str) -> dict[str, Any]:
    head = stored_head(session, firm_id)
    return {} if head is None else {"size": head.size, "root": head.root}


def _pack_rows(packer: Packer, session: Session, firm_id: str, transfer_key: bytes) -> None:
    log = origin(session, firm_id)
    for table in owned_tables():
        rows = (_leaving(table.name, row, log, transfer_key) for row in read_rows(session, table, firm_id))
        packer.add(rows_file(table.name), (write_line(table, row) for row in rows), has_rows=True)


def _leaving(table: str, row: dict[str, Any], log: str, transfer_key: bytes) -> dict[str, Any]:
    """A row as it travels: keys closed under the words, and nothing that only says how it stands on this node."""
    if table == "ledger_head":
        return row | {"halt": "", "halted_at": None}
    return _closed(row, log, transfer_key) if table == "firm_key" else row


def _closed(row: dict[str, Any], log: str, transfer_key: bytes) -> dict[str, Any]:
    try:
        return row | {
            name: closed_for_travel(row[name], row["purpose"], log, transfer_key)
            for name in ("wrapped", "next_wrapped")
        }
    except VerificationError:
        raise MovingError("The node key in use does not open the firm's keys; look for the right node.key.") from None


def _pack_bodies(packer: Packer, session: Session, firm_id: str) -> None:
    ids = session.scalars(sa.select(StoredFile.id).where(StoredFile.firm_id == firm_id).order_by(StoredFile.id)).all()
    for file_id in ids:
        packer.add(body_file(file_id), _body(session, firm_id, file_id))


def _body(session: Session, firm_id: str, file_id: str) -> Iterator[bytes]:
    yield session.scalars(
        sa.select(StoredFile.body).where(StoredFile.firm_id == firm_id, StoredFile.id == file_id)
    ).one()


def _pack_whole(packer: Packer, folder: str, files: Iterable[tuple[str, bytes]]) -> None:
    for name, body in files:
        packer.add(f"{folder}/{name}", [body])
