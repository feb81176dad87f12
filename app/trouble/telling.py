"""Who is told what when it goes wrong: those who replan, on the phone."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.bookings.models import Booking
from app.firms.access import Role
from app.firms.models import Person
from app.firms.queries import firm_of, people
from app.partners.queries import partnership_with
from app.push.actions import alert_people, cancel_alerts
from app.trouble.models import Acceptance, Defect, Disruption, Provision
from app.trouble.queries import lost_hours


def tell_of_disruption(session: Session, disruption: Disruption) -> None:
    """Managers and foremen: so many hours are missing, in these weeks."""
    lost = lost_hours(session, disruption)
    values = {
        "minutes": sum(one.lost_min for one in lost),
        "first_week": lost[0].week,
        "last_week": lost[-1].week,
    }
    kind = "disruption" if disruption.reason == "machine" else "hours_lost"
    _tell(session, disruption, kind, values, f"{kind}:{disruption.id}:{values['minutes']}")


def tell_settled(session: Session, disruption: Disruption) -> None:
    """Managers and foremen: it works again, and nothing older is said any more."""
    cancel_alerts(session, disruption.firm_id, disruption.id)
    _tell(session, disruption, "resumed", {}, f"resumed:{disruption.id}")


def tell_deciders(session: Session, about: Defect | Acceptance, kind: str, url: str) -> None:
    """Managers and foremen: something about parts that were made. The same thing is said once."""
    values = {"name": partner_name(session, about.firm_id, about.partner_id)}
    once = f"{kind}:{about.id}:{about.state if isinstance(about, Defect) else ''}"
    alert_people(session, about.firm_id, deciders(session, about.firm_id), kind, about.id, url, values, once)


def tell_of_provision(session: Session, provision: Provision, step_id: str) -> None:
    """Foremen: material or tooling is on its way, or the partner says what became of it."""
    booking_id = session.scalar(
        sa.select(Booking.id)
        .where(Booking.firm_id == provision.firm_id, Booking.agreement_id == provision.agreement_id)
        .order_by(Booking.line_no)
        .limit(1)
    )
    kind = "provision" if provision.state == "announced" else "provision_moved"
    values = {"name": partner_name(session, provision.firm_id, provision.partner_id)}
    persons = people(session, provision.firm_id, Role.FOREMAN) or people(session, provision.firm_id, Role.MANAGER)
    url = f"/auftrag/{booking_id}/beistellung"
    alert_people(session, provision.firm_id, persons, kind, provision.id, url, values, f"{kind}:{step_id}")


def _tell(session: Session, disruption: Disruption, kind: str, values: dict[str, Any], once: str) -> None:
    url = f"/stoerung/{disruption.id}"
    named = values | {"name": partner_name(session, disruption.firm_id, disruption.partner_id)}
    alert_people(
        session, disruption.firm_id, deciders(session, disruption.firm_id), kind, disruption.id, url, named, once
    )


def deciders(session: Session, firm_id: str) -> list[Person]:
    """Managers and foremen, each once."""
    found = [*people(session, firm_id, Role.MANAGER), *people(session, firm_id, Role.FOREMAN)]
    return list({person.id: person for person in found}.values())


def partner_name(session: Session, firm_id: str, partner_id: str) -> str:
    """The partner's short name, '' where the firm wants no names on lock screens."""
    return partnership_with(session, firm_id, partner_id).short_name if firm_of(session, firm_id).name_in_push else ""
