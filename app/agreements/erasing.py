"""Six months after a request is over, what became no agreement is erased: at each side, by its own clock."""

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement, AgreementLine, Bundle
from app.agreements.queries import agreements_of_request
from app.agreements.rules import KEEP_UNCHOSEN
from app.core.db import each_alone
from app.federation.actions import erase_bodies
from app.firms.actions import bump_version, note_event
from app.matching.actions import erase_matches
from app.offers.actions import erase_offers
from app.plans.actions import erase_plans
from app.push.actions import erase_alerts
from app.requests.actions import erase_request, erase_threads
from app.requests.models import WorkRequest

MOST_AT_ONCE = 200


def erase_unchosen(session: Session, now: dt.datetime) -> None:
    """Once an hour: erase offers, requests, files, threads and what messages said, where no agreement came of them.

    What an agreement stands on stays, also of one that lapsed after a signature: both sides have recorded that.
    """
    if now.minute:
        return
    due = session.scalars(
        sa.select(WorkRequest)
        .where(_is_long_over(now), WorkRequest.unchosen_erased_at.is_(None))
        .order_by(WorkRequest.firm_id, WorkRequest.id)
        .limit(MOST_AT_ONCE)
    ).all()
    each_alone(session, due, lambda request: _erase(session, request, now))


def _is_long_over(now: dt.datetime) -> sa.ColumnElement[bool]:
    """Six months after the end; of a partner's request whose end was never told, a month more after its deadline."""
    untold = WorkRequest.closed_at.is_(None), WorkRequest.side == "theirs"
    last = now - KEEP_UNCHOSEN
    return sa.or_(WorkRequest.closed_at <= last, sa.and_(*untold, WorkRequest.reply_by <= last - dt.timedelta(days=30)))


def _erase(session: Session, request: WorkRequest, now: dt.datetime) -> None:
    firm_id, request_id = request.firm_id, request.id
    bump_version(session, firm_id)
    shared = _drop_unshared(session, agreements_of_request(session, firm_id, request_id))
    partners = {agreement.partner_id for agreement in shared}
    kept = {agreement.offer_id for agreement in shared}
    erase_plans(session, firm_id, request_id, kept)
    offer_ids = erase_offers(session, firm_id, request_id, kept)
    erase_bodies(session, firm_id, offer_ids)
    erase_bodies(session, firm_id, [request_id], partners)
    if shared:
        erase_threads(session, firm_id, request_id, partners)
        request.unchosen_erased_at = now
    else:
        erase_matches(session, firm_id, request_id)
        erase_alerts(session, firm_id, request_id)
        erase_request(session, firm_id, request_id)
    note_event(session, firm_id, None, "unchosen_erased", "request", request_id, detail={"count": len(offer_ids)})


def _drop_unshared(session: Session, agreements: Sequence[Agreement]) -> list[Agreement]:
    """Drafts that never left our house bind nobody: they go. Returns those that the other side knows."""
    shared = [one for one in agreements if one.signed_at or one.partner_signed_at]
    dropped = [one for one in agreements if one not in shared]
    for one in dropped:
        session.execute(
            sa.delete(AgreementLine).where(AgreementLine.firm_id == one.firm_id, AgreementLine.agreement_id == one.id)
        )
        session.delete(one)
    session.flush()
    empty = {one.bundle_id for one in dropped} - {one.bundle_id for one in shared}
    for firm_id in {one.firm_id for one in dropped}:
        session.execute(sa.delete(Bundle).where(Bundle.firm_id == firm_id, Bundle.id.in_(empty - {None})))
    return shared
