"""How much of an own request is agreed: counted anew whenever an agreement comes into force or changes."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.requests.actions import set_agreed


def note_agreed(session: Session, agreement: Agreement) -> None:
    """Tell the requester's request the sum of its agreements in force; the provider's side knows only its own."""
    if agreement.side != "ours":
        return
    session.flush()
    agreed = sa.select(sa.func.coalesce(sa.func.sum(Agreement.minutes), 0)).where(
        Agreement.firm_id == agreement.firm_id, Agreement.request_id == agreement.request_id, Agreement.state == "in_force"
    )  # fmt: skip
    set_agreed(session, agreement.firm_id, agreement.request_id, int(session.scalar(agreed) or 0))
