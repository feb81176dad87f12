"""Hours go with the agreement that they were worked under; their place in the log stays."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.events import AgreementErased
from app.federation.actions import erase_bodies
from app.hours.models import HourAuthor, HourEntry, HourRecord, HourReport
from app.push.actions import erase_alerts


def forget_hours(session: Session, event: AgreementErased) -> None:
    """Erase reports, entries, records, authors, and what messages and alerts said of them."""
    firm_id = event.firm_id
    reports = session.execute(
        sa.select(HourReport.id, HourReport.booking_id).where(
            HourReport.firm_id == firm_id, HourReport.agreement_id == event.agreement_id
        )
    ).all()
    ids = [report.id for report in reports]
    entries = sa.select(HourEntry.id).where(HourEntry.firm_id == firm_id, HourEntry.report_id.in_(ids))
    session.execute(sa.delete(HourAuthor).where(HourAuthor.firm_id == firm_id, HourAuthor.id.in_(entries)))
    for table in (HourEntry, HourRecord):
        session.execute(sa.delete(table).where(table.firm_id == firm_id, table.report_id.in_(ids)))
    session.execute(sa.delete(HourReport).where(HourReport.firm_id == firm_id, HourReport.id.in_(ids)))
    erase_bodies(session, firm_id, ids)
    for subject in {*ids, *(report.booking_id for report in reports)}:
        erase_alerts(session, firm_id, subject)
