"""Files beside messages: kept per firm, fetched only where a message named them, every opening told to the owner."""

import hashlib
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import Conflict, RuleBroken
from app.core.ids import new_id
from app.federation.models import FileGrant, StoredFile, WantedFile
from app.federation.rules import MOST_FILE_BYTES as MOST_FILE_BYTES
from app.federation.rules import Incoming, described_files, is_photo, named_files
from app.firms.actions import note_event
from app.partners.queries import is_here

MISSING = "Die Datei des Partners ist nicht da."


def store_file(
    session: Session,
    firm_id: str,
    name: str,
    media_type: str,
    body: bytes,
    from_firm_id: str | None = None,
    origin_id: str = "",
) -> str:
    """Keep the bytes of a file under a random id of the firm; returns the id. The type was checked by the caller.

    A photo of our own waits until it is cleaned; what a partner sent was cleaned in its house. Raises RuleBroken above 25 MB.
    """
    if len(body) > MOST_FILE_BYTES:
        raise RuleBroken("Die Datei ist zu groß. Höchstens 25 MB sind möglich.", "file")
    file = StoredFile(
        firm_id=firm_id,
        id=new_id(),
        created_at=clock.now(),
        sha256=hashlib.sha256(body).hexdigest(),
        name=name[-120:],
        media_type=media_type,
        size=len(body),
        body=body,
        from_firm_id=from_firm_id,
        origin_id=origin_id,
        is_clean=from_firm_id is not None or not is_photo(media_type),
    )
    session.add(file)
    session.flush()
    return file.id


def grant_files(session: Session, firm_id: str, to_firm_id: str, body: dict[str, Any]) -> None:
    """Let a partner fetch the files that a message to it names.

    Raises Conflict while a named photo still waits for its cleaning: it leaves the house without its metadata or not at all.
    """
    wanted = named_files(body)
    if not wanted:
        return
    files = session.execute(
        sa.select(StoredFile.id, StoredFile.is_clean).where(StoredFile.firm_id == firm_id, StoredFile.id.in_(wanted))
    ).all()
    if not all(file.is_clean for file in files):
        raise Conflict("Ein Foto wird noch geprüft. Versuch es gleich noch einmal.")
    for file in files:
        if session.get(FileGrant, (firm_id, file.id, to_firm_id)) is None:
            session.add(FileGrant(firm_id=firm_id, file_id=file.id, to_firm_id=to_firm_id, created_at=clock.now()))
    session.flush()


def fetch_file(session: Session, firm_id: str, from_firm_id: str, file_id: str, sha256: str) -> str:
    """Copy a partner's file that a message to us named into our house; returns our id. Fetched before: the same id.

    Raises RuleBroken when it is not there, was never named to us, or has other bytes than the message said.
    """
    earlier = session.scalar(
        sa.select(StoredFile.id).where(
            StoredFile.firm_id == firm_id, StoredFile.from_firm_id == from_firm_id, StoredFile.origin_id == file_id
        )
    )
    if not is_here(session, firm_id, from_firm_id):
        return _brought(session, firm_id, earlier, sha256)
    theirs = session.get(StoredFile, (from_firm_id, file_id))
    is_granted = session.get(FileGrant, (from_firm_id, file_id, firm_id)) is not None
    if theirs is None or not is_granted or not theirs.is_clean or theirs.sha256 != sha256:
        raise RuleBroken(MISSING)
    if earlier is not None:
        return earlier
    return store_file(session, firm_id, theirs.name, theirs.media_type, theirs.body, from_firm_id, file_id)


def want_files(session: Session, firm_id: str, from_firm_id: str, body: dict[str, Any]) -> bool:
    """Note the files that a message from another node names and that are still to be fetched; False when none are."""
    is_waiting = False
    for named in described_files(body):
        row = session.get(WantedFile, (firm_id, from_firm_id, named.file_id))
        if row is None:
            row = WantedFile(firm_id=firm_id, from_firm_id=from_firm_id, origin_id=named.file_id, asked_at=clock.now())
            session.add(row)
        elif row.sha256 == named.sha256:
            is_waiting = is_waiting or row.ended_at is None
            continue
        row.sha256, row.name, row.media_type, row.size = named.sha256, named.name, named.media_type, named.size
        row.ended_at, is_waiting = None, True
    session.flush()
    return is_waiting


def _brought(session: Session, firm_id: str, file_id: str | None, sha256: str) -> str:
    """A file of another node is here before its message takes effect, or never comes."""
    file = None if file_id is None else session.get_one(StoredFile, (firm_id, file_id))
    if file is None or file.sha256 != sha256:
        raise RuleBroken(MISSING)
    return file.id


def drop_files(session: Session, firm_id: str, file_ids: Collection[str]) -> None:
    """Erase the bytes of the firm's files; nobody may fetch them any more."""
    session.execute(sa.delete(FileGrant).where(FileGrant.firm_id == firm_id, FileGrant.file_id.in_(file_ids)))
    session.execute(sa.delete(StoredFile).where(StoredFile.firm_id == firm_id, StoredFile.id.in_(file_ids)))


def set_files_open(session: Session, firm_id: str, file_ids: Collection[str], is_open: bool) -> None:
    """Let the firm's people open a partner's files, or no longer."""
    session.execute(
        sa.update(StoredFile)
        .where(StoredFile.firm_id == firm_id, StoredFile.id.in_(file_ids), StoredFile.from_firm_id.is_not(None))
        .values(is_open=is_open)
    )


def note_opening(session: Session, owner_id: str, file_id: str, name: str, by_firm_id: str) -> None:
    """Write down for the owner that a firm opened its file: once per firm and day. The person stays in its own house."""
    once = f"opened:{file_id}:{clock.today()}:{by_firm_id}"
    note_event(session, owner_id, None, "seen_by", "file", file_id, by_firm_id, {"object": name}, once)


def receive_opening(session: Session, incoming: Incoming) -> None:
    """A partner on another node opened one of our files."""
    file_id = incoming.body.get("file_id")
    file = session.get(StoredFile, (incoming.firm_id, file_id)) if isinstance(file_id, str) else None
    is_granted = session.get(FileGrant, (incoming.firm_id, file_id, incoming.from_id)) is not None
    if file is None or not is_granted:
        raise RuleBroken(MISSING)
    note_opening(session, incoming.firm_id, file.id, file.name, incoming.from_id)


def granted_file(session: Session, firm_id: str, to_firm_id: str, sha256: str) -> StoredFile | None:
    """A clean file of ours with this hash that a message to that partner named."""
    return session.scalar(
        sa.select(StoredFile)
        .join(FileGrant, (FileGrant.firm_id == StoredFile.firm_id) & (FileGrant.file_id == StoredFile.id))
        .where(StoredFile.firm_id == firm_id, StoredFile.sha256 == sha256, FileGrant.to_firm_id == to_firm_id)
        .where(StoredFile.is_clean)
        .limit(1)
    )
