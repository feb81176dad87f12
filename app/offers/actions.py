"""Answering a partner's request: hours are held in full or not at all, and a no stays in the house."""

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.actions import hold_hours, release_offer
from app.capacity.models import CapacityWindow
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, RuleBroken
from app.core.events import OfferMade, OfferWithdrawn
from app.core.ids import new_id
from app.core.outbox import emit
from app.firms.access import Actor
from app.firms.actions import bump_version, note_event
from app.machines.models import Machine
from app.machines.queries import rates_on
from app.matching.queries import RatedLine, judge_request, stored_lines
from app.offers.exchange import (
    accept_offer,
    close_answers,
    decline_offer,
    expire_offers,
    receive_declined,
    receive_offer,
    receive_offer_withdrawn,
    receive_selected,
    release_selection,
    select_offer,
    send_declined,
    send_offer,
    send_selected,
    send_withdrawn_offer,
)
from app.offers.models import Offer, OfferLine
from app.offers.queries import asked_of, lines_of, live_offers, offer_for, own_offer
from app.offers.rules import (
    Asked,
    LineDraft,
    answer_word,
    check_answerable,
    check_lines,
    check_step,
    check_undo,
)
from app.push.actions import cancel_alerts, mark_alerts_seen
from app.push.models import Alert
from app.requests.models import Receipt, WorkRequest
from app.requests.queries import holidays_near, partner_request, receipt_of
from app.requests.rules import default_valid_until

__all__ = [
    "accept_offer",
    "answer_no",
    "answer_part",
    "answer_yes",
    "close_answers",
    "decline_offer",
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

    By token that is what the message said, on the page (`shown` = Judgement.key) what stood there. Raises Conflict
    when the request, its deadline or our free hours say otherwise by now; the text says what is left.
    """
    request = _locked_request(session, firm_id, request_id)
    asked = asked_of(session, request)
    check_answerable(asked, clock.now())
    if version is not None and version != request.version:
        raise Conflict("%(name)s hat die Anfrage geändert. Lies sie noch einmal.", name=asked.partner_name)
    lines = stored_lines(session, firm_id, request_id) if by_token else _live_lines(session, request, shown)
    if not lines or any(line.rate_cents_per_hour is None for line in lines):
        raise RuleBroken("Hier fehlt noch der Stundensatz. Frag deine Leitung.", "rate")
    drafts = [LineDraft(line.machine_id, line.week, line.minutes, line.rate_cents_per_hour) for line in lines]
    return _submit(session, person_id, request, asked, drafts, is_proposal=True, by_token=by_token)


def make_offer(session: Session, actor: Actor, request_id: str, lines: Sequence[LineDraft], note: str = "") -> str:
    """Offer these lines; returns the offer's id. A second call is a new version that replaces the first one.

    Lines without a rate get that of the machine's rate card. Raises RuleBroken with what is wrong or how many hours
    are left, Conflict when the request can no longer be answered.
    """
    request = _locked_request(session, actor.firm_id, request_id)
    asked = asked_of(session, request)
    check_answerable(asked, clock.now())
    rated = _with_rates(session, actor.firm_id, lines)
    return _submit(session, actor.person_id, request, asked, rated, is_proposal=False, by_token=False, note=note)


def answer_part(session: Session, actor: Actor, request_id: str, lines: Sequence[LineDraft], note: str = "") -> str:
    """Other hours, other weeks, another machine: the same as make_offer, under the word of the page."""
    return make_offer(session, actor, request_id, lines, note)


def answer_no(session: Session, firm_id: str, person_id: str, request_id: str) -> None:
    """Say no. Nothing of it leaves the house; an earlier yes is taken back. Raises Conflict when an offer is chosen."""
    request = _locked_request(session, firm_id, request_id)
    if request.state in ("cancelled", "contracted"):
        check_answerable(asked_of(session, request), clock.now())
    for offer in live_offers(session, firm_id, request_id, "ours"):
        _take_back(session, offer)
    _note_answer(session, request, person_id, "no")
    note_event(session, firm_id, person_id, "answered_no", "request", request_id)
    bump_version(session, firm_id)


def undo_answer(session: Session, firm_id: str, person_id: str, request_id: str) -> None:
    """Take the last answer back within ten minutes: the request waits again. Raises Conflict later."""
    request = _locked_request(session, firm_id, request_id)
    receipt = receipt_of(session, firm_id, request_id)
    if receipt is None or receipt.answered_at is None or not receipt.answer:
        raise Conflict("Hier gibt es nichts zurückzunehmen.")
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
    if shown is not None and shown != judgement.key:
        raise Conflict("Deine freie Zeit hat sich geändert. Prüfe die Stunden noch einmal.")
    return judgement.lines


def _rated(line: OfferLine) -> RatedLine:
    return RatedLine(line.machine_id, line.machine_name, line.week, line.offered_min, line.rate_cents_per_hour)


def _submit(
    session: Session,
    person_id: str,
    request: WorkRequest,
    asked: Asked,
    lines: Sequence[LineDraft],
    is_proposal: bool,
    by_token: bool,
    note: str = "",
) -> str:
    """Write the offer and hold its hours. New hours and those of an earlier version change hands together."""
    check_lines(asked, lines, clock.today())
    ordered = sorted(lines, key=lambda line: (line.machine_id, line.week))
    earlier = live_offers(session, request.firm_id, request.id, "ours")
    same = next((offer for offer in earlier if _is_same(session, offer, ordered)), None)
    if same is not None:
        return same.id
    if earlier and is_proposal:
        raise Conflict("Ihr habt schon geantwortet. Öffne die Anfrage.")
    _lock_windows(session, request.firm_id, ordered, earlier)
    for offer in earlier:
        check_step(offer.state, "superseded")
        release_offer(session, request.firm_id, offer.id)
        offer.state = "superseded"
    offer = _new_offer(request, asked, ordered, person_id, is_proposal, by_token, note)
    offer.version = max((one.version for one in earlier), default=_last_version(session, request)) + 1
    session.add(offer)
    session.flush()
    _hold_lines(session, offer, ordered)
    if request.state == "open":
        request.state = "quoted"
    _note_answer(session, request, person_id, offer.answer)
    emit(session, OfferMade(request.firm_id, offer.id))
    detail = {"minutes": sum(line.minutes for line in ordered), "by_token": by_token}
    note_event(session, request.firm_id, person_id, "offered", "offer", offer.id, detail=detail)
    bump_version(session, request.firm_id)
    return offer.id


def _new_offer(
    request: WorkRequest,
    asked: Asked,
    lines: Sequence[LineDraft],
    person_id: str,
    is_proposal: bool,
    by_token: bool,
    note: str,
) -> Offer:
    assert asked.reply_by is not None
    return Offer(
        firm_id=request.firm_id,
        id=new_id(),
        created_at=clock.now(),
        side="ours",
        request_id=request.id,
        partner_id=request.partner_id or "",
        request_version=request.version,
        answer=answer_word(asked, sum(line.minutes for line in lines), is_proposal),
        state="submitted",
        valid_until=default_valid_until(asked.reply_by, holidays_near(asked.reply_by.date())),
        note=note,
        answered_by=person_id,
        by_token=by_token,
    )


def _hold_lines(session: Session, offer: Offer, lines: Sequence[LineDraft]) -> None:
    machines = _machines(session, offer.firm_id, lines)
    for line in lines:
        machine = machines.get(line.machine_id)
        if machine is None or machine.state != "ready" or line.rate_cents_per_hour is None:
            raise RuleBroken("Diese Maschine ist gerade nicht bereit. Wähle eine andere.", "machine")
        row = OfferLine(
            firm_id=offer.firm_id,
            id=new_id(),
            created_at=clock.now(),
            offer_id=offer.id,
            machine_id=machine.id,
            machine_name=machine.name,
            machine_type_key=machine.type_key,
            week=line.week,
            offered_min=line.minutes,
            rate_cents_per_hour=line.rate_cents_per_hour,
            set_up_min=machine.set_up_min,
            min_block_min=min(machine.min_block_min, line.minutes),
        )
        session.add(row)
        session.flush()
        hold_hours(session, offer.firm_id, offer.id, row.id, machine.id, line.week, line.minutes, offer.valid_until)


def _take_back(session: Session, offer: Offer) -> None:
    check_step(offer.state, "withdrawn")
    release_offer(session, offer.firm_id, offer.id)
    offer.state = "withdrawn"
    emit(session, OfferWithdrawn(offer.firm_id, offer.id))


def _with_rates(session: Session, firm_id: str, lines: Sequence[LineDraft]) -> list[LineDraft]:
    known = rates_on(session, firm_id, {line.machine_id for line in lines}, clock.today())
    return [
        LineDraft(line.machine_id, line.week, line.minutes, line.rate_cents_per_hour or known.get(line.machine_id))
        for line in lines
    ]


def _is_same(session: Session, offer: Offer, lines: Sequence[LineDraft]) -> bool:
    """A second tap on the same answer: what it says is what stands already."""
    said = {(line.machine_id, line.week): (line.minutes, line.rate_cents_per_hour) for line in lines}
    stands = {
        (line.machine_id, line.week): (line.offered_min, line.rate_cents_per_hour)
        for line in lines_of(session, offer.firm_id, offer.id)
    }
    return said == stands


def _last_version(session: Session, request: WorkRequest) -> int:
    query = sa.select(sa.func.max(Offer.version)).where(Offer.firm_id == request.firm_id)
    return session.scalar(query.where(Offer.request_id == request.id, Offer.side == "ours")) or 0


def _locked_request(session: Session, firm_id: str, request_id: str) -> WorkRequest:
    """Two people of one firm answer one after the other: the firm's row is the turnstile, as for hours and messages."""
    bump_version(session, firm_id)
    request = partner_request(session, firm_id, request_id)
    session.refresh(request, with_for_update=True)
    return request


def _lock_windows(session: Session, firm_id: str, lines: Iterable[LineDraft], earlier: Iterable[Offer]) -> None:
    """Take every window in one order before the first is changed, so that two writers never wait in a circle."""
    wanted = {(line.machine_id, line.week) for line in lines}
    for offer in earlier:
        wanted |= {(line.machine_id, line.week) for line in lines_of(session, firm_id, offer.id)}
    session.execute(
        sa.select(CapacityWindow.id)
        .where(CapacityWindow.firm_id == firm_id)
        .where(sa.tuple_(CapacityWindow.machine_id, CapacityWindow.week).in_(sorted(wanted)))
        .order_by(CapacityWindow.machine_id, CapacityWindow.week)
        .with_for_update()
    ).all()


def _machines(session: Session, firm_id: str, lines: Iterable[LineDraft]) -> dict[str, Machine]:
    wanted = sorted({line.machine_id for line in lines})
    found = session.scalars(sa.select(Machine).where(Machine.firm_id == firm_id, Machine.id.in_(wanted)))
    return {machine.id: machine for machine in found}


def _note_answer(session: Session, request: WorkRequest, person_id: str, answer: str) -> None:
    """Keep who answered what, for our own house alone; nobody is reminded of it any more."""
    cancel_alerts(session, request.firm_id, request.id)
    receipt = receipt_of(session, request.firm_id, request.id)
    if receipt is None:
        receipt = Receipt(firm_id=request.firm_id, id=new_id(), created_at=clock.now(), request_id=request.id)
        session.add(receipt)
    receipt.answer, receipt.answered_at, receipt.answered_by = answer, clock.now(), person_id
    receipt.read_at, receipt.read_by = receipt.read_at or clock.now(), receipt.read_by or person_id
    session.flush()


def _forget_answer(receipt: Receipt) -> None:
    receipt.answer, receipt.answered_at, receipt.answered_by = "", None, None
