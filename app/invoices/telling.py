"""Who is told what about invoices: the office, or where a firm has none, the managers."""

from sqlalchemy.orm import Session

from app.firms.access import Role
from app.firms.queries import firm_of, people
from app.invoices.models import Invoice
from app.partners.queries import partnership_with
from app.push.actions import alert_people


def tell_office(session: Session, invoice: Invoice, kind: str) -> None:
    """Alert whoever looks after invoices; the same thing about the same invoice is said once."""
    persons = people(session, invoice.firm_id, Role.ACCOUNTANT) or people(session, invoice.firm_id, Role.MANAGER)
    is_named = firm_of(session, invoice.firm_id).name_in_push
    values = {"name": partnership_with(session, invoice.firm_id, invoice.partner_id).short_name if is_named else ""}
    alert_people(
        session, invoice.firm_id, persons, kind, invoice.id, f"/belege/{invoice.id}", values, f"{kind}:{invoice.id}"
    )
