"""Writing an answer down and holding its hours, in full or not at all."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.capacity.actions import hold_hours, release_offer
from app.capacity.models import CapacityWindow
from app.core import clock
from app.core.errors import Conflict, RuleBroken
from app.core.events import OfferMade
from app.core.holidays import holidays_near
from app.core.ids import new_id
from app.core.outbox import emit
from app.firms.actions import bump_version, note_event
from app.machines.models import Machine
from app.machines.queries import rates_on
from app.machines.rules import RateDraft
from app.offers.models import Offer, OfferLine
from app.offers.queries import lines_of, live_offers
from app.offers.rules import (
    Asked,
    LineDraft,
    answer_word,
    check_lines,
    check_step,
    check_transport,
    smallest_piece,
)
from app.push.actions import cancel_alerts
from app.requests.models import Receipt, WorkRequest
from app.requests.queries import receipt_of
from app.requests.rules import default_valid_until

Place = tuple[str, str]
"""Machine id, week"""
TERMS = (
    "machine_name", "machine_type_key", "set_up_min", "min_block_min", "set_up_rate_cents_per_hour",
    "programming_rate_cents_per_hour", "night_surcharge_permille", "sunday_surcharge_permille",
)  # fmt: skip
NO_CARD = RateDraft(0)
"""A rate typed into the answer says nothing else: set-up costs as much, the rest is not charged."""


def submit_answer(
    session: Session,
    person_id: str,
    request: WorkRequest,
    asked: Asked,
    lines: Sequence[LineDraft],
    is_proposal: bool,
    by_token: bool,
    note: str = "",
    transport_cents: int | None = None,
) -> str:
    """Write the offer and hold its hours. New hours and those of an earlier version change hands together."""
    check_lines(asked, lines, clock.today())
    check_transport(transport_cents or 0)
    ordered = sorted(lines, key=lambda line: (line.machine_id, line.week))
    earlier = live_offers(session, request.firm_id, request.id, "ours")
    if transport_cents is None:
        transport_cents = earlier[-1].transport_cents if earlier else 0
    priced = _priced_lines(session, request.firm_id, ordered)
    same = next((one for one in earlier if _is_same(session, one, ordered, transport_cents)), None)
    if same is not None and (is_proposal or _has_same_terms(session, same, priced)):
        return same.id
    if earlier and is_proposal:
        raise Conflict("Ihr habt schon geantwortet. Öffne die Anfrage.")
    _lock_windows(session, request.firm_id, ordered, earlier)
    for offer in earlier:
        check_step(offer.state, "superseded")
        release_offer(session, request.firm_id, offer.id)
        offer.state = "superseded"
    offer = _new_offer(request, asked, ordered, person_id, is_proposal, by_token, note)
    offer.transport_cents = transport_cents
    offer.version = max((one.version for one in earlier), default=_last_version(session, request)) + 1
    session.add(offer)
    session.flush()
    _hold_lines(session, offer, ordered, priced)
    if request.state == "open":
        request.state = "quoted"
    note_answer(session, request, person_id, offer.answer)
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


def _priced_lines(session: Session, firm_id: str, lines: Sequence[LineDraft]) -> dict[Place, dict[str, Any]]:
    """What machine and rate card add to each line, by (machine, week); lines of machines that are gone are missing."""
    machines = _machines(session, firm_id, lines)
    cards = rates_on(session, firm_id, machines, clock.today())
    all_min = Counter[str]()
    for line in lines:
        all_min[line.machine_id] += line.minutes
    return {
        (line.machine_id, line.week): _terms(machine, cards.get(machine.id, NO_CARD), line.minutes, all_min[machine.id])
        for line in lines
        if (machine := machines.get(line.machine_id)) is not None and machine.state == "ready"
    }


def _terms(machine: Machine, card: RateDraft, line_min: int, machine_min: int) -> dict[str, Any]:
    return {
        "machine_name": machine.name,
        "machine_type_key": machine.type_key,
        "set_up_min": machine.set_up_min,
        "min_block_min": smallest_piece(line_min, machine_min, machine.min_block_min, card.min_order_min),
        "set_up_rate_cents_per_hour": card.set_up_rate_cents_per_hour,
        "programming_rate_cents_per_hour": card.programming_rate_cents_per_hour,
        "night_surcharge_permille": card.night_surcharge_permille,
        "sunday_surcharge_permille": card.sunday_surcharge_permille,
    }


def _hold_lines(
    session: Session, offer: Offer, lines: Sequence[LineDraft], priced: Mapping[Place, dict[str, Any]]
) -> None:
    for line in lines:
        terms = priced.get((line.machine_id, line.week))
        if terms is None or line.rate_cents_per_hour is None:
            raise RuleBroken("Diese Maschine ist gerade nicht bereit. Wähle eine andere.", "machine")
        row = OfferLine(
            firm_id=offer.firm_id,
            id=new_id(),
            created_at=clock.now(),
            offer_id=offer.id,
            machine_id=line.machine_id,
            week=line.week,
            offered_min=line.minutes,
            rate_cents_per_hour=line.rate_cents_per_hour,
            **terms,
        )
        session.add(row)
        session.flush()
        hold_hours(
            session, offer.firm_id, offer.id, row.id, line.machine_id, line.week, line.minutes, offer.valid_until
        )


def _is_same(session: Session, offer: Offer, lines: Sequence[LineDraft], transport_cents: int) -> bool:
    """A second tap on the same answer: what it says is what stands already."""
    said = {(line.machine_id, line.week): (line.minutes, line.rate_cents_per_hour) for line in lines}
    stands = {
        (line.machine_id, line.week): (line.offered_min, line.rate_cents_per_hour)
        for line in lines_of(session, offer.firm_id, offer.id)
    }
    return said == stands and offer.transport_cents == transport_cents


def _has_same_terms(session: Session, offer: Offer, priced: Mapping[Place, dict[str, Any]]) -> bool:
    """Machine and rate card still say what they said when the offer was made."""
    lines = lines_of(session, offer.firm_id, offer.id)
    return all(
        priced.get((line.machine_id, line.week)) == {name: getattr(line, name) for name in TERMS} for line in lines
    )


def _last_version(session: Session, request: WorkRequest) -> int:
    query = sa.select(sa.func.max(Offer.version)).where(Offer.firm_id == request.firm_id)
    return session.scalar(query.where(Offer.request_id == request.id, Offer.side == "ours")) or 0


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


def note_answer(session: Session, request: WorkRequest, person_id: str, answer: str) -> None:
    """Keep who answered what, for our own house alone; nobody is reminded of it any more."""
    cancel_alerts(session, request.firm_id, request.id)
    receipt = receipt_of(session, request.firm_id, request.id)
    if receipt is None:
        receipt = Receipt(firm_id=request.firm_id, id=new_id(), created_at=clock.now(), request_id=request.id)
        session.add(receipt)
    receipt.answer, receipt.answered_at, receipt.answered_by = answer, clock.now(), person_id
    receipt.read_at, receipt.read_by = receipt.read_at or clock.now(), receipt.read_by or person_id
    session.flush()
