"""What went wrong, and what was brought, goes with the agreement that it belongs to."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.events import AgreementErased
from app.federation.actions import drop_files, erase_bodies
from app.push.actions import erase_alerts
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


def forget_trouble(session: Session, event: AgreementErased) -> None:
    """Erase what an agreement lost, defects, photos and provisions, and what messages and alerts said of them."""
    firm_id, agreement_id = event.firm_id, event.agreement_id
    gone = _lost(session, firm_id, agreement_id)
    brought = sa.select(Provision.id).where(Provision.firm_id == firm_id, Provision.agreement_id == agreement_id)
    steps = ProvisionStep.firm_id == firm_id, ProvisionStep.provision_id.in_(brought)
    gone |= set(session.scalars(sa.select(ProvisionStep.id).where(*steps))) | set(session.scalars(brought))
    for model in (Defect, Acceptance, WorkRecord):
        mine = model.firm_id == firm_id, model.agreement_id == agreement_id
        gone |= set(session.scalars(sa.select(model.id).where(*mine)))
        session.execute(sa.delete(model).where(*mine))
    session.execute(sa.delete(ProvisionStep).where(*steps))
    session.execute(sa.delete(Provision).where(Provision.firm_id == firm_id, Provision.agreement_id == agreement_id))
    photos = TroublePhoto.firm_id == firm_id, TroublePhoto.agreement_id == agreement_id
    drop_files(session, firm_id, session.scalars(sa.select(TroublePhoto.file_id).where(*photos)).all())
    session.execute(sa.delete(TroublePhoto).where(*photos))
    erase_bodies(session, firm_id, gone)
    for one in sorted(gone):
        erase_alerts(session, firm_id, one)


def _lost(session: Session, firm_id: str, agreement_id: str) -> set[str]:
    """Erase the lines, and each disruption that has none left; returns the ids of these."""
    lines = DisruptionLine.firm_id == firm_id, DisruptionLine.agreement_id == agreement_id
    ids = set(session.scalars(sa.select(DisruptionLine.disruption_id).where(*lines)))
    session.execute(sa.delete(DisruptionLine).where(*lines))
    gone = ids - set(session.scalars(sa.select(DisruptionLine.disruption_id).where(DisruptionLine.firm_id == firm_id)))
    session.execute(sa.delete(Disruption).where(Disruption.firm_id == firm_id, Disruption.id.in_(gone)))
    return gone
