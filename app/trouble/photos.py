"""Photos of defects and of what was brought: they leave the house when their metadata is gone, with what they belong to."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.errors import RuleBroken
from app.core.ids import new_id
from app.federation.actions import fetch_file, store_file
from app.federation.models import StoredFile
from app.federation.rules import Incoming, is_photo
from app.requests.drafting import Upload
from app.requests.drawings import HEAD_BYTES, check_drawing
from app.trouble.models import TroublePhoto
from app.trouble.queries import photos_of
from app.trouble.rules import MOST_PHOTOS
from app.trouble.wire import SentPhoto


def keep_photos(session: Session, firm_id: str, subject_id: str, agreement_id: str, uploads: Sequence[Upload]) -> None:
    """Store our own photos; they wait for their cleaning. Raises RuleBroken for anything that is no photo."""
    if len(uploads) > MOST_PHOTOS:
        raise RuleBroken("Höchstens %(most)s Fotos passen dazu.", "photos", most=MOST_PHOTOS)
    for upload in uploads:
        media_type = check_drawing(upload.name, len(upload.body), upload.body[:HEAD_BYTES])
        if not is_photo(media_type):
            raise RuleBroken("Wähle ein Foto, PNG oder JPG.", "photos")
        file_id = store_file(session, firm_id, upload.name, media_type, upload.body)
        stored = session.get_one(StoredFile, (firm_id, file_id))
        sent = SentPhoto(file_id, stored.name, stored.sha256, media_type, stored.size)
        _add(session, firm_id, subject_id, agreement_id, file_id, sent)


def take_photos(
    session: Session, incoming: Incoming, subject_id: str, agreement_id: str, photos: Sequence[SentPhoto]
) -> None:
    """Keep copies of the photos that a partner's message names; raises RuleBroken for one that is not there."""
    for photo in photos:
        file_id = fetch_file(session, incoming.firm_id, incoming.from_id, photo.file_id, photo.sha256)
        _add(session, incoming.firm_id, subject_id, agreement_id, file_id, photo)


def are_ready(session: Session, firm_id: str, subject_id: str) -> bool:
    """Say whether all photos may leave the house; hash and size follow the cleaned ones, what was no picture is gone."""
    is_ready = True
    for photo in photos_of(session, firm_id, subject_id):
        stored = session.get(StoredFile, (firm_id, photo.file_id))
        if stored is None:
            session.delete(photo)
        elif stored.is_clean:
            photo.size, photo.sha256 = stored.size, stored.sha256
        else:
            is_ready = False
    session.flush()
    return is_ready


def sent_photos(session: Session, firm_id: str, subject_id: str) -> list[dict[str, Any]]:
    """The photos as a message names them."""
    names = ("file_id", "name", "sha256", "media_type", "size")
    return [{name: getattr(one, name) for name in names} for one in photos_of(session, firm_id, subject_id)]


def subject_of(session: Session, firm_id: str, file_id: str) -> str | None:
    """What a photo belongs to, if it is one of this room's."""
    return session.scalar(
        sa.select(TroublePhoto.subject_id).where(TroublePhoto.firm_id == firm_id, TroublePhoto.file_id == file_id)
    )


def _add(session: Session, firm_id: str, subject_id: str, agreement_id: str, file_id: str, photo: SentPhoto) -> None:
    session.add(
        TroublePhoto(
            firm_id=firm_id, id=new_id(), created_at=clock.now(), subject_id=subject_id, agreement_id=agreement_id,
            file_id=file_id, name=photo.name, sha256=photo.sha256, media_type=photo.media_type, size=photo.size,
        )
    )  # fmt: skip
    session.flush()
