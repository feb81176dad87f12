"""Answering a partner's request: hours are held in full or not at all, and a no stays in the house."""

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.actions import release_offer
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, RuleBroken
from app.core.events import OfferWithdrawn
from app.core.outbox import emit
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.machines.queries import rates_on
from app.matching.queries import RatedLine, judge_request, proposal_key, stored_lines
from app.offers.erasing import erase_offers
from app.offers.exchange import (
    accept_offer,
    close_answers,
    decline_offer,
    drop_partner_offers,
    expire_offers,
    release_selection,
    select_offer,
    send_declined,
    send_offer,
    send_selected,
    send_withdrawn_offer,
)
from app.offers.holding import note_answer, submit_answer
from app.offers.models import Offer, OfferLine
from app.offers.queries import asked_of, live_offers, offer_for, own_offer
from app.offers.receiving import receive_declined, receive_offer, receive_offer_withdrawn, receive_selected
from app.offers.rules import (
    LineDraft,
    check_answerable,
    check_step,
    check_undo,
)
from app.push.actions import mark_alerts_seen
from app.push.models import Alert
from app.requests.models import Receipt, WorkRequest
from app.requests.queries import partner_request, receipt_of

__all__ = [
    "accept_offer",
    "answer_no",
    "answer_yes",
    "close_answers",
    "decline_offer",
    "drop_partner_offers",
    "erase_offers",
    "expire_offers",
    "make_offer",
    "mark_seen",
    "receive_declined",
    "receive_offer",
    "receive_offer_withdrawn",
    "receive_selected",
    "release_selection",
    "select_offer",
    "send_declined",
    "send_offer",
    "send_selected",
    "send_withdrawn_offer",
    "undo_answer",
    "withdraw_offer",
]


def answer_yes(
    session: Session,
    firm_id: str,
    person_id: str,
    request_id: str,
    by_token: bool = False,
    shown: str | None = None,
    version: int | None = None,
) -> str:
    """Offer exactly what was shown, and hold its hours; returns the offer's id.

    By token that is what the message said, on the page what stood there: `shown` is the proposal_key of either. Raises
    Conflict when the request, its deadline or our free hours say otherwise by now; the text says what is left.
    """
    request = _locked_request(session, firm_id, request_id)
    asked = asked_of(session, request)
    check_answerable(asked, clock.now())
    if version is not None and version != request.version:
        raise Conflict("%(name)s hat die Anfrage geändert. Lies sie noch einmal.", name=asked.partner_name)
    lines = _told_lines(session, request, shown) if by_token else _live_lines(session, request, shown)
    if not lines or any(line.rate_cents_per_hour is None for line in lines):
        raise RuleBroken("Hier fehlt noch der Stundensatz. Frag deine Leitung.", "rate")
    drafts = [LineDraft(line.machine_id, line.week, line.minutes, line.rate_cents_per_hour) for line in lines]
    return submit_answer(session, person_id, request, asked, drafts, is_proposal=True, by_token=by_token)


def make_offer(
    session: Session,
    actor: Actor,
    request_id: str,
    lines: Sequence[LineDraft],
    note: str = "",
    transport_cents: int | None = None,
) -> str:
    """Offer these lines; returns the offer's id. A second call is a new version that replaces the first one.

    `transport_cents` is paid once for the whole offer; None leaves it as it was. Lines without a rate get that of the
    machine's rate card. Raises RuleBroken with what is wrong or how many hours are left, Conflict when the request can
    no longer be answered.
    """
    request = _locked_request(session, actor.firm_id, request_id)
    asked = asked_of(session, request)
    check_answerable(asked, clock.now())
    rated = _with_rates(session, actor.firm_id, lines)
    return submit_answer(
        session, actor.person_id, request, asked, rated, is_proposal=False, by_token=False, note=note,
        transport_cents=transport_cents,
    )  # fmt: skip


def answer_no(session: Session, firm_id: str, person_id: str, request_id: str) -> None:
    """Say no. Nothing of it leaves the house; an own earlier yes is taken back.

    Raises Conflict when an offer is chosen, or when the yes is a colleague's: only withdraw_offer takes that back.
    """
    request = _locked_request(session, firm_id, request_id)
    if request.state in ("cancelled", "contracted"):
        check_answerable(asked_of(session, request), clock.now())
    offers = live_offers(session, firm_id, request_id, "ours")
    if any(offer.answered_by != person_id for offer in offers):
        raise Conflict("Bei euch hat schon jemand Ja gesagt. Öffne die Anfrage.")
    for offer in offers:
        _take_back(session, offer)
    note_answer(session, request, person_id, "no")
    note_event(session, firm_id, person_id, "answered_no", "request", request_id)
    bump_version(session, firm_id)


def undo_answer(session: Session, firm_id: str, person_id: str, request_id: str) -> None:
    """Take the own last answer back within ten minutes: the request waits again. Raises Conflict later."""
    request = _locked_request(session, firm_id, request_id)
    receipt = receipt_of(session, firm_id, request_id)
    if receipt is None or receipt.answered_at is None or not receipt.answer:
        raise Conflict("Hier gibt es nichts zurückzunehmen.")
    if receipt.answered_by != person_id:
        raise Conflict("Bei euch hat inzwischen jemand anders geantwortet. Öffne die Anfrage.")
    check_undo(receipt.answered_at, clock.now())
    for offer in live_offers(session, firm_id, request_id, "ours"):
        _take_back(session, offer)
    _forget_answer(receipt)
    note_event(session, firm_id, person_id, "answer_undone", "request", request.id)
    bump_version(session, firm_id)


def withdraw_offer(session: Session, actor: Actor, offer_id: str) -> None:
    """Take an offer back before it is chosen; its hours come free. Raises Conflict when it was chosen already."""
    offer = offer_for(session, actor.firm_id, offer_id, "ours")
    request = _locked_request(session, actor.firm_id, offer.request_id)
    session.refresh(offer)
    if offer.state == "withdrawn":
        return
    _take_back(session, offer)
    receipt = receipt_of(session, actor.firm_id, request.id)
    if receipt is not None:
        _forget_answer(receipt)
    note_event(session, actor.firm_id, actor.person_id, "offer_withdrawn", "offer", offer_id)
    bump_version(session, actor.firm_id)


def mark_seen(database: Database, actor: Actor, request_id: str) -> None:
    """Note for our own house who first opened the request: it need not go to the deputy then."""
    with database.read() as session:
        receipt = receipt_of(session, actor.firm_id, request_id)
        is_read = receipt is None or receipt.read_at is not None
        if is_read and not waits_for(session, actor.firm_id, actor.person_id, request_id):
            return
    with database.write() as session:
        mark_alerts_seen(session, actor.firm_id, actor.person_id, request_id)
        receipt = receipt_of(session, actor.firm_id, request_id)
        if receipt is not None and receipt.read_at is None:
            receipt.read_at, receipt.read_by = clock.now(), actor.person_id


def waits_for(session: Session, firm_id: str, person_id: str, request_id: str) -> bool:
    """Say whether a message about the request was sent to the person and never opened."""
    query = sa.select(Alert.id).where(Alert.firm_id == firm_id, Alert.person_id == person_id)
    return session.scalar(query.where(Alert.subject_id == request_id, Alert.seen_at.is_(None)).limit(1)) is not None


def _live_lines(session: Session, request: WorkRequest, shown: str | None) -> Sequence[RatedLine]:
    judgement = judge_request(session, request.firm_id, request)
    earlier = own_offer(session, request.firm_id, request.id)
    if earlier is not None and earlier.offer.state in ("submitted", "selected", "partly_selected", "accepted"):
        # a second tap: the hours are held already, so they are not free any more
        return [_rated(line) for line in earlier.lines]
    _check_shown(judgement.lines, shown)
    return judgement.lines


def _told_lines(session: Session, request: WorkRequest, shown: str | None) -> Sequence[RatedLine]:
    """What the message promised: a newer match may have put other hours in its place."""
    lines = stored_lines(session, request.firm_id, request.id)
    _check_shown(lines, shown)
    return lines


def _check_shown(lines: Sequence[RatedLine], shown: str | None) -> None:
    if shown and shown != proposal_key(lines):
        raise Conflict("Deine freie Zeit hat sich geändert. Prüfe die Stunden noch einmal.")


def _rated(line: OfferLine) -> RatedLine:
    return RatedLine(line.machine_id, line.machine_name, line.week, line.offered_min, line.rate_cents_per_hour)


def _take_back(session: Session, offer: Offer) -> None:
    check_step(offer.state, "withdrawn")
    release_offer(session, offer.firm_id, offer.id)
    offer.state = "withdrawn"
    emit(session, OfferWithdrawn(offer.firm_id, offer.id))


def _with_rates(session: Session, firm_id: str, lines: Sequence[LineDraft]) -> list[LineDraft]:
    known = rates_on(session, firm_id, {line.machine_id for line in lines}, clock.today())
    return [
        line
        if line.rate_cents_per_hour or line.machine_id not in known
        else replace(line, rate_cents_per_hour=known[line.machine_id].rate_cents_per_hour)
        for line in lines
    ]


def _locked_request(session: Session, firm_id: str, request_id: str) -> WorkRequest:
    """Two people of one firm answer one after the other: the firm's row is the turnstile, as for hours and messages."""
    bump_version(session, firm_id)
    request = partner_request(session, firm_id, request_id)
    session.refresh(request, with_for_update=True)
    return request


def _forget_answer(receipt: Receipt) -> None:
    receipt.answer, receipt.answered_at, receipt.answered_by = "", None, None
