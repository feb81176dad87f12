"""Hours that stand on an invoice: from then on the invoice is what people dispute, no longer the slip."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.hours.models import HourReport
from app.hours.rules import check_step


def mark_invoiced(session: Session, firm_id: str, booking_ids: Collection[str]) -> None:
    """Note that the confirmed reports of these bookings stand on an invoice; one that does already stays as it is."""
    reports = session.scalars(
        sa.select(HourReport)
        .where(HourReport.firm_id == firm_id, HourReport.booking_id.in_(booking_ids))
        .where(HourReport.state.in_(("confirmed", "auto_confirmed")))
        .order_by(HourReport.id)
        .with_for_update()
    ).all()
    for report in reports:
        check_step(report.state, "invoiced")
        report.state = "invoiced"
    session.flush()
