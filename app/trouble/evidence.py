"""The whole file of an agreement for a dispute: evidence, slips, defects, photos, what was brought, what was said. One ZIP."""

import datetime as dt
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.agreements.queries import amendments_of
from app.bookings.queries import bookings_of
from app.federation.models import Message, StoredFile
from app.hours.models import HourRecord, HourReport
from app.notary.queries import evidence_file
from app.partners.queries import partnership_with
from app.requests.models import Question
from app.trouble.models import (
    Acceptance,
    Defect,
    Disruption,
    DisruptionLine,
    Provision,
    ProvisionStep,
    TroublePhoto,
    WorkRecord,
)

Part = tuple[str, bytes]
README = Path(__file__).parent / "LIESMICH.txt"
LEFT_OUT = {"firm_id", "partner_id", "agreement_id"}
ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The same content is the same file, whoever packs it and when."""


def dispute_file(session: Session, agreement: Agreement) -> bytes:
    """Everything that this firm has of an agreement, as a ZIP: the proofs hold without us, the rest is in plain words."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        parts = (_proofs, _slips, _work_records, _told)
        for name, body in (one for part in parts for one in part(session, agreement)):
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), body, zipfile.ZIP_DEFLATED)
        for name, body in _photos(session, agreement):
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), body, zipfile.ZIP_STORED)
    return out.getvalue()


def _proofs(session: Session, agreement: Agreement) -> Iterator[Part]:
    if agreement.entry_seq is not None:
        body = evidence_file(session, agreement.firm_id, agreement.entry_seq, agreement.counterpart)
        yield "1-vereinbarung/beweis.json", body
    yield "1-vereinbarung/text.txt", agreement.text.encode()
    for no, one in enumerate(amendments_of(session, agreement.firm_id, agreement.id), 1):
        yield f"1-vereinbarung/nachtrag-{no}.txt", one.text.encode()
        if one.entry_seq is not None:
            body = evidence_file(session, agreement.firm_id, one.entry_seq, one.counterpart)
            yield f"1-vereinbarung/nachtrag-{no}-beweis.json", body


def _slips(session: Session, agreement: Agreement) -> Iterator[Part]:
    rows = session.execute(
        sa.select(HourRecord, HourReport.week)
        .join(HourReport, (HourReport.firm_id == HourRecord.firm_id) & (HourReport.id == HourRecord.report_id))
        .where(HourReport.firm_id == agreement.firm_id, HourReport.agreement_id == agreement.id)
        .order_by(HourRecord.entry_seq)
    )
    for record, week in rows:
        name = f"2-stunden/{week}-{record.entry_seq}-{'meldung' if record.kind == 'report' else 'bestaetigung'}"
        yield f"{name}.txt", record.text.encode()
        yield f"{name}-beweis.json", evidence_file(session, agreement.firm_id, record.entry_seq, record.counterpart)


def _work_records(session: Session, agreement: Agreement) -> Iterator[Part]:
    records = session.scalars(
        sa.select(WorkRecord)
        .where(WorkRecord.firm_id == agreement.firm_id, WorkRecord.agreement_id == agreement.id)
        .where(WorkRecord.entry_seq.is_not(None))
        .order_by(WorkRecord.entry_seq)
    )
    for one in records:
        name = f"3-maengel/{'abnahme' if one.kind == 'completion' else 'widerspruch'}-{one.entry_seq}"
        yield f"{name}.txt", one.text.encode()
        yield f"{name}-beweis.json", evidence_file(session, one.firm_id, one.entry_seq or 0, one.counterpart)


def _told(session: Session, agreement: Agreement) -> Iterator[Part]:
    """What no ledger holds: rows as they stand here, and the messages word for word as they went and came."""
    firm_id = agreement.firm_id
    brought = _rows(session, Provision, agreement)
    lines = _rows(session, DisruptionLine, agreement)
    defects, taken = _rows(session, Defect, agreement), _rows(session, Acceptance, agreement)
    steps = _by(session, ProvisionStep, firm_id, ProvisionStep.provision_id, [one["id"] for one in brought])
    stopped = _by(session, Disruption, firm_id, Disruption.id, [one["disruption_id"] for one in lines])
    yield "3-maengel/maengel.json", _json(defects)
    yield "3-maengel/abnahmen.json", _json(taken)
    yield "4-stoerungen/stoerungen.json", _json([*stopped, *lines])
    yield "5-beistellung/beistellung.json", _json([*brought, *steps])
    subjects = {one["id"] for one in (*defects, *taken, *steps, *stopped)} | _subjects(session, agreement)
    yield "6-nachrichten/nachrichten.json", _json(_messages(session, agreement, subjects))
    asked = Question.request_id == agreement.request_id, Question.partner_id == agreement.partner_id
    yield "6-nachrichten/fragen.json", _json(_found(session, Question, firm_id, *asked))
    partner = partnership_with(session, firm_id, agreement.partner_id)
    yield (
        "LIESMICH.txt",
        README.read_text().replace("AGREEMENT", agreement.id).replace("PARTNER", partner.name).encode(),
    )


def _photos(session: Session, agreement: Agreement) -> Iterator[Part]:
    rows = session.execute(
        sa.select(TroublePhoto.subject_id, TroublePhoto.id, StoredFile.media_type, StoredFile.body)
        .join(StoredFile, (StoredFile.firm_id == TroublePhoto.firm_id) & (StoredFile.id == TroublePhoto.file_id))
        .where(TroublePhoto.firm_id == agreement.firm_id, TroublePhoto.agreement_id == agreement.id)
        .where(StoredFile.is_clean)
        .order_by(TroublePhoto.subject_id, TroublePhoto.id)
    )
    for row in rows:
        ending = "png" if row.media_type == "image/png" else "jpg"
        yield f"7-fotos/{row.subject_id}-{row.id[-6:]}.{ending}", bytes(row.body)


def _subjects(session: Session, agreement: Agreement) -> set[str]:
    """What messages about this agreement are filed under: itself, its changes and its slips."""
    firm_id = agreement.firm_id
    reports = sa.select(HourReport.id).where(HourReport.firm_id == firm_id, HourReport.agreement_id == agreement.id)
    changes = {one.id for one in amendments_of(session, firm_id, agreement.id)}
    booked = {one.id for one in bookings_of(session, firm_id, agreement.id)}
    return {agreement.id, agreement.offer_id} | changes | booked | set(session.scalars(reports))


def _messages(session: Session, agreement: Agreement, subjects: set[str]) -> list[dict[str, Any]]:
    rows = session.execute(
        sa.select(
            Message.created_at, Message.direction, Message.kind, Message.state, Message.delivered_at, Message.body
        )
        .where(Message.firm_id == agreement.firm_id, Message.peer_id == agreement.partner_id)
        .where(Message.subject_id.in_(subjects))
        .order_by(Message.created_at, Message.id)
    )
    return [dict(row._mapping) for row in rows]


def _rows(session: Session, model: Any, agreement: Agreement) -> list[dict[str, Any]]:
    return _found(session, model, agreement.firm_id, model.agreement_id == agreement.id)


def _by(session: Session, model: Any, firm_id: str, column: Any, ids: Sequence[str]) -> list[dict[str, Any]]:
    return _found(session, model, firm_id, column.in_(set(ids)))


def _found(session: Session, model: Any, firm_id: str, *which: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
    columns = [column for column in model.__table__.columns if column.name not in LEFT_OUT]
    query = sa.select(*columns).where(model.firm_id == firm_id, *which).order_by(model.created_at, model.id)
    return [dict(row._mapping) for row in session.execute(query)]


def _json(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps(rows, ensure_ascii=False, indent=1, sort_keys=True, default=_plain).encode() + b"\n"


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, dt.date) else str(value)
