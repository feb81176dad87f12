"""Who is told what, on both sides: managers about signatures, foremen about hours that are booked or free again."""

from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.agreements.queries import partner_of
from app.firms.access import Role
from app.firms.queries import firm_of, people
from app.push.actions import alert_people

END_KINDS = {"expired": "lapsed", "declined": "declined"}
"""Other ends have one message that leads to the page with the reason."""


def tell_managers(session: Session, agreement: Agreement, kind: str, but_not: str = "", once: str = "") -> None:
    """Alert the managers of the agreement's firm; the same thing is said once."""
    _tell(session, agreement, Role.MANAGER, kind, but_not, once)


def tell_foremen(session: Session, agreement: Agreement, kind: str, once: str = "") -> None:
    """Alert the foremen of the provider: their machines are booked, or free again."""
    if agreement.side == "theirs":
        _tell(session, agreement, Role.FOREMAN, kind, "", once)


def tell_one_sided(session: Session, agreement: Agreement) -> None:
    """It is in force at one side and over at the other: the managers have to talk, once each."""
    tell_managers(session, agreement, "one_sided")


def tell_end(session: Session, agreement: Agreement) -> None:
    """Tell everybody concerned that the agreement did not come about."""
    kind = END_KINDS.get(agreement.end_reason, "ended")
    tell_managers(session, agreement, kind)
    tell_foremen(session, agreement, kind)


def _tell(session: Session, agreement: Agreement, role: Role, kind: str, but_not: str, once: str) -> None:
    persons = [person for person in people(session, agreement.firm_id, role) if person.id != but_not]
    is_named = firm_of(session, agreement.firm_id).name_in_push
    values = {"name": partner_of(session, agreement).short_name if is_named else ""}
    url = f"/vertraege/{agreement.id}" if role is Role.MANAGER else "/buchungen"
    once_key = f"{kind}:{once or agreement.id}:{role}"
    alert_people(session, agreement.firm_id, persons, kind, agreement.id, url, values, once_key)
