"""The kind of document of this room that a manager signs with the passkey."""

from typing import Any

from flask import url_for
from sqlalchemy.orm import Session

from app.firms.access import Actor
from app.passkeys.documents import DOCUMENTS, Signable, SignableDocument
from app.trouble.actions import approve_record, signable_record
from app.trouble.models import Acceptance, WorkRecord


def _load(session: Session, actor: Actor, record_id: str) -> SignableDocument:
    record = signable_record(session, actor, record_id)
    title, value = record.text.split("\n", 1)[0], bytes.fromhex(record.digest[2:])
    return SignableDocument(value, title, _page_of(session, record), "agreements.sign")


def _finish(session: Session, actor: Actor, record_id: str, signature: dict[str, Any]) -> str:
    return _page_of(session, approve_record(session, actor, record_id, signature))


def _page_of(session: Session, record: WorkRecord) -> str:
    if record.kind == "dispute":
        return url_for("trouble.defect", defect_id=record.subject_id)
    acceptance = session.get_one(Acceptance, (record.firm_id, record.subject_id))
    return url_for("trouble.acceptance", booking_id=acceptance.booking_id)


DOCUMENTS["work_record"] = Signable(_load, _finish)
