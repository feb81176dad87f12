"""What went wrong goes with the agreement that it went wrong with."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.events import AgreementErased
from app.federation.actions import erase_bodies
from app.push.actions import erase_alerts
from app.trouble.models import Disruption, DisruptionLine


def forget_trouble(session: Session, event: AgreementErased) -> None:
    """Erase what an agreement lost, and what messages and alerts said of them."""
    firm_id = event.firm_id
    lines = DisruptionLine.firm_id == firm_id, DisruptionLine.agreement_id == event.agreement_id
    ids = list(session.scalars(sa.select(DisruptionLine.disruption_id).where(*lines).distinct()))
    session.execute(sa.delete(DisruptionLine).where(*lines))
    rest = sa.select(DisruptionLine.disruption_id).where(DisruptionLine.firm_id == firm_id)
    gone = [one for one in ids if one not in set(session.scalars(rest))]
    session.execute(sa.delete(Disruption).where(Disruption.firm_id == firm_id, Disruption.id.in_(gone)))
    erase_bodies(session, firm_id, gone)
    for one in gone:
        erase_alerts(session, firm_id, one)
