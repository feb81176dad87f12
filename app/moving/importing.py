"""Going in: an archive is checked whole, then all its rows are there in one transaction, or none is."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import Database
from app.firms.models import Firm
from app.moving.archive import NO_ARCHIVE, lines_of, read_manifest, unpack
from app.moving.leaving import tell_partners
from app.moving.rows import BATCH, BODIES, fingerprint, owned_tables, read_line
from app.moving.rules import COPY, LOG, MOVE, MovingError, body_file, rows_file
from app.notary.documents import is_practice_log
from app.notary.keys import use_node_key
from app.notary.models import LedgerHead
from app.notary.moved import new_home
from app.notary.queries import VerificationError, export_log
from app.notary.transfer import COPY as HALT_OF_A_COPY
from app.notary.transfer import check_arrived_keys, closed_on_arrival, key_of, replay_lines
from app.partners.models import Partnership


@dataclass(frozen=True)
class Imported:
    """Who came, with how many rows and ledger entries; `is_move`: its log goes on here."""

    address: str
    name: str
    rows: int
    entries: int
    is_move: bool


@dataclass(frozen=True)
class Arrival:
    """An unpacked archive whose files fit its manifest, and the keys on both sides of the way."""

    folder: Path
    manifest: dict[str, Any]
    transfer_key: bytes
    node_key: bytes

    @property
    def firm_id(self) -> str:
        return str(self.manifest["firm"]["id"])

    @property
    def log(self) -> str:
        return str(self.manifest["firm"]["log"])


def import_firm(
    database: Database, archive: Path, words: str, node_key: bytes, folder: Path, node: str = ""
) -> Imported:
    """Bring a firm in; raises MovingError with one sentence, and then nothing has changed.

    `node` is host and port of this node: a move that names another one is refused. Partners are told where the firm
    lives from now on. `folder` takes the unpacked files, which are gone afterwards.
    """
    use_node_key(node_key)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        unpack(archive, Path(place))
        arrival = _checked(Path(place), words, node_key)
        # 1. the log is whole and its own, before anything is written
        entries = _replayed(arrival)
        # 2. all rows or none
        try:
            with database.write() as session:
                _check_absent(session, arrival)
                count = sum(_insert(session, table, arrival) for table in owned_tables())
                _check_arrived(session, arrival)
                _part_from_neighbours(session, arrival)
                if arrival.manifest["kind"] == MOVE:
                    _settle_in(session, arrival, node)
                firm = session.get_one(Firm, arrival.firm_id)
        except (sa.exc.IntegrityError, sa.exc.DataError):
            raise MovingError(
                "Rows of this archive do not fit together, or are here already; nothing was changed."
            ) from None
    return Imported(firm.address, firm.name, count, entries, arrival.manifest["kind"] == MOVE)


def _checked(folder: Path, words: str, node_key: bytes) -> Arrival:
    try:
        transfer_key = key_of(words)
    except VerificationError as error:
        raise MovingError(f"These are not 24 words of an archive: {error}.") from None
    manifest = read_manifest(folder, transfer_key)
    if manifest["schema"] != fingerprint():
        raise MovingError("This archive is of another version of Werkring: bring both nodes to the same one first.")
    needed = {LOG, *(rows_file(table.name) for table in owned_tables())}
    if manifest["kind"] not in (MOVE, COPY) or not needed <= manifest["files"].keys():
        raise MovingError(NO_ARCHIVE)
    return Arrival(folder, manifest, transfer_key, node_key)


def _replayed(arrival: Arrival) -> int:
    """Every entry and signature; returns how many entries."""
    told = arrival.manifest["ledger"]
    try:
        log, size, root = replay_lines(lines_of(arrival.folder / LOG))
    except VerificationError as error:
        raise MovingError(f"The ledger in this archive does not hold ({error}); nothing was changed.") from None
    if (log, size, root) != (arrival.log, told["size"], told["root"]):
        raise MovingError("The ledger in this archive is another one than its manifest names; nothing was changed.")
    if is_practice_log(log):
        raise MovingError("This firm is of the practice world, whose records bind nobody; nothing was changed.")
    return size


def _check_absent(session: Session, arrival: Arrival) -> None:
    firm = arrival.manifest["firm"]
    here = sa.select(Firm.id).where(sa.or_(Firm.id == firm["id"], Firm.address == firm["address"]))
    log = sa.select(LedgerHead.firm_id).where(LedgerHead.origin == firm["log"])
    if session.scalar(here) is not None or session.scalar(log) is not None:
        raise MovingError(f"The firm {firm['address']} is on this node already; nothing was changed.")


def _insert(session: Session, table: sa.Table, arrival: Arrival) -> int:
    count = 0
    lines = lines_of(arrival.folder / rows_file(table.name))
    rows = (_arriving(table.name, read_line(table, line, arrival.firm_id), arrival) for line in lines)
    for batch in _batches(rows, 1 if table.name == BODIES[0] else BATCH):
        session.connection().execute(sa.insert(table), batch)
        count += len(batch)
    return count


def _arriving(table: str, row: dict[str, Any], arrival: Arrival) -> dict[str, Any]:
    """A row as it stands on this node: keys under its key, files with their bytes, a copy's log at rest."""
    if table == "firm_key":
        return _closed(row, arrival)
    if table == "ledger_head" and arrival.manifest["kind"] == COPY:
        return row | {"halt": HALT_OF_A_COPY, "halted_at": clock.now()}
    return row | {BODIES[1]: _body(row, arrival)} if table == BODIES[0] else row


def _settle_in(session: Session, arrival: Arrival, node: str) -> None:
    """Each partner learns where the firm lives."""
    home = new_home(session, arrival.firm_id)
    if home is None:
        return
    if home.node != node:
        raise MovingError(
            f"This firm told its partners that it moves to {home.node}; this node is {node or 'another'}."
        )
    tell_partners(session, arrival.firm_id)


def _part_from_neighbours(session: Session, arrival: Arrival) -> None:
    """Who was a partner next door is one on another node now: of a copy too, should it ever go on here."""
    session.execute(
        sa.update(Partnership)
        .where(Partnership.firm_id == arrival.firm_id, Partnership.node == "")
        .values(node=arrival.manifest["node"])
    )


def _closed(row: dict[str, Any], arrival: Arrival) -> dict[str, Any]:
    way = (row["purpose"], arrival.log, arrival.transfer_key, arrival.node_key)
    try:
        return row | {name: closed_on_arrival(row[name], *way) for name in ("wrapped", "next_wrapped")}
    except VerificationError:
        raise MovingError("The keys in this archive are closed under other words; nothing was changed.") from None


def _body(row: dict[str, Any], arrival: Arrival) -> bytes:
    name = body_file(row["id"])
    body = (arrival.folder / name).read_bytes() if name in arrival.manifest["files"] else b""
    if len(body) != row["size"] or hashlib.sha256(body).hexdigest() != row["sha256"]:
        raise MovingError(
            f"The file {row['id']} in this archive is not the one that its row names; nothing was changed."
        )
    return body


def _check_arrived(session: Session, arrival: Arrival) -> None:
    """The rows are the very log that was replayed, and who brings them holds its keys."""
    digest = hashlib.sha256()
    try:
        for line in export_log(session, arrival.firm_id):
            digest.update(line)
        if digest.hexdigest() != arrival.manifest["files"][LOG]["sha256"]:
            raise VerificationError("its rows are not its log")
        check_arrived_keys(session, arrival.firm_id)
    except (VerificationError, KeyError) as error:
        raise MovingError(f"This archive cannot speak for the firm ({error}); nothing was changed.") from None


def _batches(rows: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, size)):
        yield batch
