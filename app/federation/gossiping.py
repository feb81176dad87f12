"""Partners show each other what they saw of logs that both know: each hour what is new, and a log proves that all fits.

Where receiver and log live on this node with us nothing is shown: one operator could hide it anyway.
"""

import datetime as dt
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.events import LogContradicted, LogDoubted, LogHalted
from app.core.outbox import emit
from app.federation.actions import send_message
from app.federation.rules import Incoming
from app.notary.gossip import (
    ASK,
    CONTRADICTS,
    answer_question,
    compare_shown,
    opened_logs,
    question_about,
    shown_logs,
    take_answer,
)
from app.notary.models import ShownCheckpoint
from app.notary.witnesses import contradiction
from app.partners.models import Partnership
from app.partners.queries import may_send

SEEN, ASKED, PROVED = "checkpoint.seen", "checkpoint.asked", "checkpoint.proved"
ASK_EVERY = dt.timedelta(days=1)
DOUBT_AFTER = dt.timedelta(days=3)
"""So long a log may owe its proof: its node may be away over a weekend"""


def show_seen(session: Session, now: dt.datetime) -> None:
    """Deadline: show every partner what is new of the logs that it may know too."""
    active = sa.select(Partnership.firm_id, Partnership.partner_id, Partnership.node).where(
        Partnership.state == "active"
    )
    rows = session.execute(active.order_by(Partnership.firm_id, Partnership.partner_id)).all()
    homes: dict[str, dict[str, str]] = {}
    for row in rows:
        homes.setdefault(row.firm_id, {})[row.partner_id] = row.node
    for firm_id, partners in homes.items():
        for partner_id, node in partners.items():
            _show(
                session, firm_id, partner_id, [one for one in partners if one != partner_id and (node or partners[one])]
            )


def receive_seen(session: Session, incoming: Incoming) -> None:
    """A partner shows what it saw: of logs that we know too we see whether it fits."""
    firm_id = incoming.firm_id
    for partner_id, note in opened_logs(
        session, firm_id, incoming.from_id, _partners(session, firm_id), incoming.body.get("seen")
    ):
        before = contradiction(session, firm_id, partner_id)
        answer = compare_shown(session, firm_id, partner_id, note)
        if answer == CONTRADICTS and before is None:
            emit(session, LogContradicted(firm_id, partner_id))
        if answer == ASK or (answer == CONTRADICTS and before is None):
            _ask(session, firm_id, partner_id, note)


def receive_question(session: Session, incoming: Incoming) -> None:
    """A partner was shown a checkpoint of ours: prove that it and the one it saw are of one tree, or rest."""
    answer, reason = answer_question(session, incoming.firm_id, incoming.body)
    if reason:
        emit(session, LogHalted(incoming.firm_id, incoming.from_id, reason))
    send_message(session, incoming.firm_id, incoming.from_id, PROVED, answer, incoming.from_id)


def receive_proof(session: Session, incoming: Incoming) -> None:
    """The log that we asked has answered."""
    before = contradiction(session, incoming.firm_id, incoming.from_id)
    if take_answer(session, incoming.firm_id, incoming.from_id, incoming.body) == CONTRADICTS and before is None:
        emit(session, LogContradicted(incoming.firm_id, incoming.from_id))


def ask_again(session: Session, now: dt.datetime) -> None:
    """Deadline: a proof that did not come is asked for once a day; after three days people hear of it."""
    due = sa.select(ShownCheckpoint).where(ShownCheckpoint.asked_at <= now - ASK_EVERY)
    for row in session.scalars(due.order_by(ShownCheckpoint.firm_id, ShownCheckpoint.partner_id)).all():
        if not may_send(session, row.firm_id, row.partner_id, ASKED, {}):
            session.delete(row)  # the partnership is over: nobody owes us a proof
            continue
        row.asked_at = now
        _ask(session, row.firm_id, row.partner_id, row.note)
        if row.told_at is None and row.at <= now - DOUBT_AFTER:
            row.told_at = now
            emit(session, LogDoubted(row.firm_id, row.partner_id))


def _show(session: Session, firm_id: str, partner_id: str, logs: Collection[str]) -> None:
    seen = shown_logs(session, firm_id, partner_id, logs) if logs else []
    if seen and may_send(session, firm_id, partner_id, SEEN, {}):
        send_message(session, firm_id, partner_id, SEEN, {"seen": seen}, partner_id)


def _ask(session: Session, firm_id: str, partner_id: str, note: str) -> None:
    if may_send(session, firm_id, partner_id, ASKED, {}):
        send_message(
            session, firm_id, partner_id, ASKED, question_about(session, firm_id, partner_id, note), partner_id
        )


def _partners(session: Session, firm_id: str) -> list[str]:
    states = sa.select(Partnership.partner_id).where(Partnership.firm_id == firm_id, Partnership.state == "active")
    return list(session.scalars(states))
