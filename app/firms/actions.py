"""What firms do with themselves and their people."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.firms.access import Actor
from app.firms.models import AuditEvent, Firm


def bump_version(session: Session, firm_id: str) -> None:
    """Tell polled fragments of this firm that something changed."""
    session.execute(sa.update(Firm).where(Firm.id == firm_id).values(version=Firm.version + 1))


def note_event(
    session: Session,
    firm_id: str,
    person_id: str | None,
    verb: str,
    object_kind: str = "",
    object_id: str = "",
    about_firm_id: str | None = None,
    detail: dict[str, Any] | None = None,
    once_key: str | None = None,
) -> None:
    """Write one line of the firm's Protokoll; with `once_key` the same line is written only once."""
    if once_key is not None and session.scalar(
        sa.select(AuditEvent.id).where(AuditEvent.firm_id == firm_id, AuditEvent.once_key == once_key)
    ):
        return
    session.add(
        AuditEvent(
            firm_id=firm_id,
            id=new_id(),
            created_at=clock.now(),
            person_id=person_id,
            verb=verb,
            object_kind=object_kind,
            object_id=object_id,
            about_firm_id=about_firm_id,
            detail=detail or {},
            once_key=once_key,
        )
    )


def note_view(
    database: Database, actor: Actor, about_firm_id: str, object_kind: str, object_id: str, version: int = 1
) -> None:
    """Note in the owner's Protokoll that the actor's firm saw its price or hours: once per person, version and day.

    The owner sees the firm, never the person; the row of the viewer's own firm names the person.
    """
    day = clock.today().isoformat()
    with database.write() as session:
        once = f"saw:{object_id}:{version}:{day}:{actor.person_id}"
        note_event(session, actor.firm_id, actor.person_id, "saw", object_kind, object_id, about_firm_id, {}, once)
        if session.get(Firm, about_firm_id) is not None:
            seen = f"seen:{object_id}:{version}:{day}:{actor.firm_id}"
            note_event(session, about_firm_id, None, "seen_by", object_kind, object_id, actor.firm_id, {}, seen)
