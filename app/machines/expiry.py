"""Certificates that end soon: the managers hear it once, in time for a new paper."""

import datetime as dt

from sqlalchemy.orm import Session

from app.core.db import each_alone
from app.core.units import BERLIN
from app.firms.access import Role
from app.firms.queries import people
from app.machines.models import Certificate
from app.machines.queries import ending_certificates
from app.machines.rules import EXPIRY_NOTICE
from app.push.actions import alert_people


def warn_of_expiry(session: Session, now: dt.datetime) -> None:
    """Sixty days before a verified certificate ends: one calm message to the managers of its firm."""
    today = now.astimezone(BERLIN).date()
    each_alone(
        session,
        ending_certificates(session, today, today + EXPIRY_NOTICE),
        lambda one: _warn(session, one, now),
        lambda one: setattr(one, "warned_at", now),
    )


def _warn(session: Session, one: Certificate, now: dt.datetime) -> None:
    one.warned_at = now
    managers = people(session, one.firm_id, Role.MANAGER)
    once = f"certificate:{one.id}:{one.valid_to}"
    alert_people(session, one.firm_id, managers, "certificate", one.id, f"/zertifikate/{one.id}", {}, once)
