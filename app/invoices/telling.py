"""Who is told what about invoices: the office, or where a firm has none, the managers."""

from sqlalchemy.orm import Session

from app.firms.access import Role
from app.firms.queries import firm_of, people
from app.invoices.models import Invoice
from app.partners.queries import partnership_with
from app.push.actions import alert_people


def tell_office(session: Session, invoice: Invoice, kind: str) -> None:
    """Alert whoever looks after invoices; the same thing about the same invoice is said once."""
    tell_office_of(session, invoice.firm_id, invoice.partner_id, kind, invoice.id, f"/belege/{invoice.id}")


def tell_office_of(session: Session, firm_id: str, partner_id: str, kind: str, subject_id: str, url: str) -> None:
    """The same about anything else between us and a partner."""
    persons = people(session, firm_id, Role.ACCOUNTANT) or people(session, firm_id, Role.MANAGER)
    is_named = firm_of(session, firm_id).name_in_push
    values = {"name": partnership_with(session, firm_id, partner_id).short_name if is_named else ""}
    alert_people(session, firm_id, persons, kind, subject_id, url, values, f"{kind}:{subject_id}")
