"""Break-glass: the only way in the product by which the operator sees data of a firm. The firm sees that it was used."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.errors import NotFound, RuleBroken
from app.core.ids import new_id
from app.core.outbox import OutboxRow
from app.federation.models import Message
from app.firms.access import Role
from app.firms.actions import bump_version, note_event
from app.firms.models import AuditEvent, Firm
from app.firms.protocol import OPENED
from app.firms.queries import people
from app.push.actions import alert_people

LEAST_PURPOSE, MOST_PURPOSE = 10, 200
MOST_ROWS = 500


def note_break_glass(session: Session, address: str, purpose: str, operator: str) -> str:
    """Write into the firm's own Protokoll who opens it and why, and tell its managers; returns the firm's id.

    The caller commits this before anything is read. Raises NotFound for an unknown address, RuleBroken without a purpose.
    """
    said = " ".join(purpose.split())
    if not LEAST_PURPOSE <= len(said) <= MOST_PURPOSE:
        raise RuleBroken("Schreib den Grund in 10 bis 200 Zeichen.", "purpose")
    firm_id = session.scalar(sa.select(Firm.id).where(Firm.address == address))
    if firm_id is None:
        raise NotFound
    opening_id, detail = new_id(), {"purpose": said, "operator": operator[:40]}
    note_event(session, firm_id, None, OPENED, detail=detail)
    managers = people(session, firm_id, Role.MANAGER)
    alert_people(session, firm_id, managers, "glass_broken", opening_id, "/protokoll", {}, f"glass:{opening_id}")
    bump_version(session, firm_id)
    return firm_id


def opened_data(session: Session, firm_id: str) -> dict[str, Any]:
    """What support needs: the Protokoll, messages that got stuck and events that failed, newest first; no bodies of messages."""
    return {
        "protocol": _rows(session, AuditEvent, ("created_at", "verb", "object_kind", "object_id", "detail"), firm_id),
        "stuck_messages": _rows(
            session,
            Message,
            ("created_at", "kind", "peer_id", "state", "attempts", "error"),
            firm_id,
            Message.state.in_(("parked", "refused", "unknown")),
        ),
        "failed_events": _rows(
            session,
            OutboxRow,
            ("created_at", "kind", "attempts", "error"),
            firm_id,
            OutboxRow.settled_at.is_(None),
            OutboxRow.attempts > 0,
        ),
    }


def _rows(session: Session, table: Any, names: tuple[str, ...], firm_id: str, *where: Any) -> list[dict[str, Any]]:
    columns = [getattr(table, name) for name in names]
    query = sa.select(*columns).where(table.firm_id == firm_id, *where)
    return [
        row._asdict() | {"created_at": row.created_at.isoformat()}
        for row in session.execute(query.order_by(table.created_at.desc(), table.id.desc()).limit(MOST_ROWS))
    ]
