"""Who is told what, on both sides: managers about signatures, foremen about hours that are booked or free again."""

from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.agreements.queries import partner_of
from app.firms.access import Role
from app.firms.queries import people
from app.push.actions import alert_people


def tell_managers(session: Session, agreement: Agreement, kind: str, once: str = "", but_not: str = "") -> None:
    """Alert the managers of the agreement's firm; the same thing is said once."""
    _tell(session, agreement, Role.MANAGER, kind, once or kind, but_not)


def tell_foremen(session: Session, agreement: Agreement, kind: str, once: str = "") -> None:
    """Alert the foremen of the provider: their machines are booked, or free again."""
    if agreement.side == "theirs":
        _tell(session, agreement, Role.FOREMAN, kind, once or kind, "")


def _tell(session: Session, agreement: Agreement, role: Role, kind: str, once: str, but_not: str) -> None:
    persons = [person for person in people(session, agreement.firm_id, role) if person.id != but_not]
    values = {"partner": partner_of(session, agreement).short_name}
    url = f"/vertraege/{agreement.id}" if role is Role.MANAGER else "/buchungen"
    alert_people(session, agreement.firm_id, persons, kind, agreement.id, url, values, f"{once}:{agreement.id}:{role}")
