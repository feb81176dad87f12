"""What the people of a simulated firm do in a day: ask, answer, plan, sign, decline, change, cancel, rest."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.actions import (
    approve_amendment,
    decline_agreement,
    decline_amendment,
    draft_agreements,
    propose_cancellation,
    propose_change,
    signable_amendment,
)
from app.agreements.models import Agreement, Amendment
from app.bookings.models import Booking
from app.capacity.actions import offer_hours
from app.core import clock
from app.core.errors import WerkringError
from app.core.units import week_of, weeks_from
from app.federation.actions import resend_parked
from app.federation.models import PARKED, Message
from app.firms.access import Actor, Role
from app.matching.queries import stored_lines
from app.offers.actions import answer_no, make_offer, withdraw_offer
from app.offers.models import Offer
from app.offers.rules import LineDraft
from app.partners.actions import pause_partnership, resume_partnership
from app.partners.models import Partnership
from app.plans.actions import choose_plan
from app.plans.models import Plan
from app.requests.actions import Change, change_request, withdraw_request
from app.requests.models import Receipt, WorkRequest
from tests.long.simulate_world import Place
from tests.nodes.job import PDF, answer, approval, ask, sign

MOST_OPEN = 3


@dataclass(frozen=True)
class People:
    """Everybody who works at one node."""

    place: Place
    luck: random.Random

    @property
    def actor(self) -> Actor:
        actor: Actor = self.place.actor(self.place.key)
        return actor

    def work(self) -> tuple[str, str]:
        """Somebody does something, if there is anything of that kind to do; returns what, and what came of it.

        Who finds nothing to do looks for something else, once.
        """
        for act in self.luck.choices(list(ACTS), list(ACTS.values()), k=2):
            try:
                came_of_it = act(self)
            except WerkringError as refusal:
                came_of_it = f"refused: {refusal.text}"
            if came_of_it:
                return act.__name__, came_of_it
        return "", ""

    def send_all_again(self) -> bool:
        """Somebody sends what rests for one partner once more; False when nothing rests."""
        return bool(sends_again(self))

    def one_of(self, table: Any, *conditions: Any) -> Any:
        """Any row of our own firm that is so, or None."""
        with self.place.database.read() as session:
            query = sa.select(table).where(table.firm_id == self.actor.firm_id, *conditions).order_by(table.id)
            found = session.scalars(query).all()
            session.expunge_all()
        return self.luck.choice(found) if found else None

    def do(self, act: Callable[..., object], *given: Any) -> None:
        with self.place.database.write() as session:
            act(session, self.actor, *given)


def asks(us: People) -> str:
    with us.place.database.read() as session:
        mine = WorkRequest.firm_id == us.actor.firm_id, WorkRequest.side == "ours"
        is_open = WorkRequest.state.in_(("open", "quoted", "planned", "contracting"))
        count = session.scalar(sa.select(sa.func.count()).select_from(WorkRequest).where(*mine, is_open)) or 0
        partners = session.scalars(
            sa.select(Partnership.partner_id)
            .where(Partnership.firm_id == us.actor.firm_id)
            .order_by(Partnership.address)
        ).all()
    if count >= MOST_OPEN:
        return ""
    chosen = us.luck.sample(partners, us.luck.choice((1, 2, 2)))
    file = PDF + f"%{us.luck.random()}".encode() if us.luck.random() < 0.4 else b""
    first = us.luck.choice(weeks_from(week_of(clock.today()), 4)[1:])
    return ask(us.place, chosen, us.luck.randint(8, 120) * 60, us.place.key, file, first)


def answers(us: People) -> str:
    request = _unanswered(us)
    return answer(us.place, us.place.key, request.id) if request else ""


def answers_in_part(us: People) -> str:
    request = _unanswered(us)
    if request is None:
        return ""
    with us.place.database.write() as session:
        lines = stored_lines(session, us.actor.firm_id, request.id)
        some = us.luck.sample(lines, us.luck.randint(1, len(lines))) if lines else []
        drafts = [LineDraft(one.machine_id, one.week, one.minutes, one.rate_cents_per_hour) for one in some]
        return make_offer(session, us.actor, request.id, drafts)


def says_no(us: People) -> str:
    request = _unanswered(us)
    if request is None:
        return ""
    with us.place.database.write() as session:
        answer_no(session, us.actor.firm_id, us.place.firms[us.place.key].people[Role.FOREMAN], request.id)
    return str(request.id)


def takes_offer_back(us: People) -> str:
    return _each(us, withdraw_offer, us.one_of(Offer, Offer.side == "ours", Offer.state == "submitted"))


def chooses_a_plan(us: People) -> str:
    plan = us.one_of(Plan, Plan.chosen_at.is_(None))
    if plan is None:
        return ""
    us.do(choose_plan, plan.id, True, us.luck.random() < 0.6)
    return _drafts(us, plan.id)


def drafts_what_was_chosen(us: People) -> str:
    request = us.one_of(WorkRequest, WorkRequest.side == "ours", WorkRequest.state == "planned")
    plan = request and us.one_of(Plan, Plan.request_id == request.id, Plan.chosen_at.is_not(None))
    return _drafts(us, plan.id) if plan else ""


def signs_own(us: People) -> str:
    return _signs(us, us.one_of(Agreement, Agreement.side == "ours", Agreement.state == "frozen"))


def signs_a_partners(us: People) -> str:
    return _signs(us, us.one_of(Agreement, Agreement.side == "theirs", Agreement.state == "signed_one"))


def declines(us: People) -> str:
    return _each(us, decline_agreement, us.one_of(Agreement, Agreement.state.in_(("frozen", "signed_one"))))


def proposes_a_change(us: People) -> str:
    booking = us.one_of(Booking, Booking.state == "confirmed", Booking.agreed_min > 0)
    if booking is None:
        return ""
    minutes = {booking.line_no: max(15, booking.agreed_min + us.luck.choice((-120, -60, 60, 120, 240)))}
    us.do(propose_change, booking.agreement_id, minutes, "Termin verschoben")
    return f"{booking.agreement_id} {minutes}"


def proposes_a_cancellation(us: People) -> str:
    booking = us.one_of(Booking, Booking.state == "confirmed", Booking.agreed_min > 0)
    if booking is None:
        return ""
    us.do(propose_cancellation, booking.agreement_id, [booking.line_no], "Auftrag weg")
    return f"{booking.agreement_id} {booking.line_no}"


def signs_a_change(us: People) -> str:
    own = Amendment.by_us, Amendment.state == "frozen"
    theirs = ~Amendment.by_us, Amendment.state == "signed_one"
    amendment = us.one_of(Amendment, *us.luck.choice((own, theirs)))
    if amendment is None:
        return ""
    with us.place.database.read() as session:
        digest, role = signable_amendment(session, us.actor, amendment.id)
        signature = approval(session, us.place, us.place.key, digest, role)
    us.do(approve_amendment, amendment.id, signature)
    return str(amendment.id)


def declines_a_change(us: People) -> str:
    return _each(us, decline_amendment, us.one_of(Amendment, Amendment.state.in_(("frozen", "signed_one"))))


def takes_request_back(us: People) -> str:
    is_open = WorkRequest.state.in_(("open", "quoted", "planned"))
    return _each(us, withdraw_request, us.one_of(WorkRequest, WorkRequest.side == "ours", is_open))


def changes_request(us: People) -> str:
    request = us.one_of(WorkRequest, WorkRequest.side == "ours", WorkRequest.state.in_(("open", "quoted")))
    if request is None:
        return ""
    told = {name: getattr(request, name) for name in Change.__dataclass_fields__}
    need_min = max(600, request.need_min + us.luck.choice((-600, 600, 1200)))
    us.do(change_request, request.id, Change(**told | {"need_min": need_min}))
    return f"{request.id} {need_min}"


def reports_hours(us: People) -> str:
    week = us.luck.choice(weeks_from(week_of(clock.today()), 6))
    us.do(offer_hours, us.place.firms[us.place.key].machine_id, week, us.luck.randint(20, 60) * 60)
    return week


def pauses(us: People) -> str:
    return _partner(us, pause_partnership, us.one_of(Partnership, Partnership.state == "active"))


def goes_on(us: People) -> str:
    return _partner(us, resume_partnership, us.one_of(Partnership, Partnership.state == "paused"))


def sends_again(us: People) -> str:
    message = us.one_of(Message, PARKED)
    if message is None:
        return ""
    us.do(resend_parked, message.peer_id)
    return str(message.peer_id)


ACTS: dict[Callable[[People], str], float] = {
    asks: 4,
    answers: 5,
    answers_in_part: 2,
    says_no: 0.5,
    takes_offer_back: 0.4,
    chooses_a_plan: 5,
    drafts_what_was_chosen: 2,
    signs_own: 12,
    signs_a_partners: 20,
    declines: 0.5,
    proposes_a_change: 1.5,
    proposes_a_cancellation: 0.7,
    signs_a_change: 5,
    declines_a_change: 0.3,
    takes_request_back: 0.3,
    changes_request: 0.7,
    reports_hours: 0.7,
    pauses: 0.15,
    goes_on: 1,
    sends_again: 0.3,
}


def _unanswered(us: People) -> Any:
    answered = sa.select(Receipt.request_id).where(Receipt.firm_id == us.actor.firm_id, Receipt.answer != "")
    is_open = WorkRequest.state.in_(("open", "quoted"))
    return us.one_of(WorkRequest, WorkRequest.side == "theirs", is_open, WorkRequest.id.not_in(answered))


def _drafts(us: People, plan_id: str) -> str:
    with us.place.database.write() as session:
        return " ".join(draft_agreements(session, us.actor, plan_id))


def _signs(us: People, agreement: Any) -> str:
    if agreement is None:
        return ""
    sign(us.place, us.place.key, agreement.id)
    return str(agreement.id)


def _each(us: People, act: Callable[[Session, Actor, str], object], row: Any) -> str:
    if row is None:
        return ""
    us.do(act, row.id)
    return str(row.id)


def _partner(us: People, act: Callable[[Session, Actor, str], object], row: Any) -> str:
    if row is None:
        return ""
    us.do(act, row.partner_id)
    return str(row.address)
