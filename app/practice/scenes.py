"""The deeds of the Vorführung, each by the same actions as a tap on the page; done already means: nothing happens."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.actions import draft_agreements
from app.agreements.models import Agreement
from app.agreements.queries import agreements_of_request
from app.bookings.models import Booking
from app.capacity.queries import own_free_by_week
from app.capacity.rules import Shortage, shortage
from app.config import Config
from app.core import clock
from app.core.db import Database
from app.core.errors import NotFound, WerkringError
from app.core.holidays import holidays_near
from app.core.units import weeks
from app.firms.access import Actor, Role
from app.firms.queries import firm_of
from app.offers.actions import answer_yes
from app.partners.queries import active_partners
from app.plans.actions import choose_plan, solve_plans
from app.plans.models import Plan
from app.practice.bots import Behaviour, answer_as
from app.practice.people import acting, firm_by_short_name
from app.practice.signing import approve_document
from app.push.actions import mark_alerts_seen
from app.requests.actions import Details, publish_request, save_details, start_draft
from app.requests.drafts import RequirementDraft
from app.requests.models import WorkRequest
from app.requests.queries import chosen_ids, open_draft, receipt_of
from app.requests.rules import RequestKind, ShortageReason, default_reply_by, first_week_choices
from app.trouble.actions import DisruptionDraft, ask_for_help, report_disruption, take_plan
from app.trouble.models import Disruption
from app.trouble.queries import asked_of, help_requests, others_for

REQUESTER = "Keller"
FIRST_PARTNER = "Yilmaz"
SAY_YES = ("Brandt", "Nowak", "Lindner", "Vogt")
SAYS_NO = "Kaminski"
PROCESS = "milling_5x"
ORDER_MIN = 500 * 60
DELIVERY_WEEK = "2027-W04"
RADIUS_KM = 80


def own_shortage(session: Session, firm_id: str) -> Shortage:
    """What the order of the story lacks, counted as page S41 counts it."""
    first = min(first_week_choices(clock.today())[0], DELIVERY_WEEK)
    free = own_free_by_week(session, firm_id, PROCESS, first, DELIVERY_WEEK)
    return shortage(ORDER_MIN, list(weeks(first, DELIVERY_WEEK)), free)


def write_request(database: Database) -> None:
    """The shortage becomes a draft with everything filled in, up to the page that checks it."""
    with database.write() as session:
        petra = _requester(session)
        lacking = own_shortage(session, petra.firm_id)
        need = _need(lacking.missing_min, lacking.weeks[0], lacking.weeks[-1])
        draft = open_draft(session, petra.firm_id, petra.person_id, RequestKind.HOURS, clock.now())
        request_id = draft.id if draft else start_draft(session, petra, RequestKind.HOURS, need)
        save_details(session, petra, request_id, need, _details(session, petra))


def is_request_written(database: Database) -> bool:
    """Say whether the draft stands, complete, or was even sent."""
    with database.read() as session:
        petra = _requester(session)
        draft = open_draft(session, petra.firm_id, petra.person_id, RequestKind.HOURS, clock.now())
        return _request(session) is not None or (draft is not None and draft.draft_step == 3)


def send_request(database: Database) -> None:
    with database.write() as session:
        petra = _requester(session)
        draft = open_draft(session, petra.firm_id, petra.person_id, RequestKind.HOURS, clock.now())
        if draft is None:
            raise NotFound("Die Anfrage ist noch nicht gesendet.")
        publish_request(session, petra, draft.id)


def is_request_sent(database: Database) -> bool:
    with database.read() as session:
        return _request(session) is not None


def say_yes(database: Database) -> None:
    """The answer from the lock screen of the first partner's Meister."""
    with database.write() as session:
        request = _sent(session)
        foreman = acting(session, firm_by_short_name(session, FIRST_PARTNER).id, Role.FOREMAN)
        answer_yes(session, foreman.firm_id, foreman.person_id, request.id, by_token=True)
        mark_alerts_seen(session, foreman.firm_id, foreman.person_id, request.id)


def has_said_yes(database: Database) -> bool:
    with database.read() as session:
        receipt = receipt_of(session, firm_by_short_name(session, FIRST_PARTNER).id, _sent(session).id)
        return receipt is not None and receipt.answer in ("yes", "part")


def let_others_answer(database: Database) -> None:
    """Four partners say yes, one says no, one does not fit and was never told. Who has answered already stays so."""
    with database.read() as session:
        request_id = _sent(session).id
        behaviours = dict.fromkeys(SAY_YES, Behaviour.YES) | {SAYS_NO: Behaviour.NO}
        firms = {firm_by_short_name(session, name).id: said for name, said in behaviours.items()}
    for firm_id, behaviour in firms.items():
        with database.write() as session:
            receipt = receipt_of(session, firm_id, request_id)
            if receipt is not None and not receipt.answer:
                answer_as(session, firm_id, request_id, behaviour)


def choose_spread_plan(database: Database) -> None:
    """The plan that spreads the work best becomes one agreement per partner."""
    with database.write() as session:
        petra = _requester(session)
        plan_id = plan_of_story(session)
        choose_plan(session, petra, plan_id, accepts_part=False)
        draft_agreements(session, petra, plan_id)


def is_plan_chosen(database: Database) -> bool:
    with database.read() as session:
        return bool(_agreements(session, "ours"))


def sign_as_requester(database: Database, config: Config) -> None:
    """Keller's manager signs every agreement that still waits."""
    with database.read() as session:
        petra = _requester(session)
        waiting = [one.id for one in _agreements(session, "ours") if one.state == "frozen"]
    for agreement_id in waiting:
        approve_document(database, config, petra, "agreement", agreement_id)


def has_requester_signed(database: Database) -> bool:
    with database.read() as session:
        return all(one.state != "frozen" for one in _agreements(session, "ours"))


def sign_as_partner(database: Database, config: Config) -> None:
    """The first partner's manager signs."""
    with database.read() as session:
        mine = _first_agreement(session)
        manager, agreement_id = acting(session, mine.partner_id, Role.MANAGER), mine.id
    approve_document(database, config, manager, "agreement", agreement_id)


def has_partner_signed(database: Database) -> bool:
    with database.read() as session:
        return _first_agreement(session).state in ("waiting_bundle", "in_force")


def sign_all(database: Database, config: Config) -> None:
    """All other partners sign too; one that cannot any more is left out."""
    with database.read() as session:
        waiting = [
            (acting(session, one.partner_id, Role.MANAGER), one.id)
            for one in _agreements(session, "ours")
            if one.state == "signed_one"
        ]
    for manager, agreement_id in waiting:
        try:
            approve_document(database, config, manager, "agreement", agreement_id)
        except WerkringError:
            continue


def stop_machine(database: Database) -> None:
    """The first partner's machine stands: what it was to work in this week is lost."""
    with database.write() as session:
        booking = booking_of_story(session)
        if _disruption(session) is None:
            worker = acting(session, booking.firm_id, Role.WORKER)
            draft = DisruptionDraft("machine", minutes={booking.id: booking.agreed_min})
            report_disruption(session, worker, booking.id, draft)


def is_machine_stopped(database: Database) -> bool:
    with database.read() as session:
        return _disruption(session) is not None


def call_for_help(database: Database) -> None:
    """Who works on the job was asked at once; Keller asks the others too."""
    with database.write() as session:
        ask_for_help(session, _requester(session), disruption_of_story(session).id)


def is_everybody_asked(database: Database) -> bool:
    with database.read() as session:
        work = _help(session)
        return work is not None and not others_for(session, disruption_of_story(session), work)


def let_helpers_answer(database: Database) -> None:
    """Everybody whose machine fits says yes."""
    call_for_help(database)
    with database.read() as session:
        keller_id, request_id = _requester(session).firm_id, help_of_story(session).id
        firm_ids = chosen_ids(session, keller_id, request_id)
    for firm_id in firm_ids:
        with database.write() as session:
            receipt = receipt_of(session, firm_id, request_id)
            if receipt is not None and not receipt.answer and receipt.announced_at is not None:
                answer_as(session, firm_id, request_id, Behaviour.YES)
    solve_plans(database, keller_id, request_id)


def take_help(database: Database) -> None:
    """The plan that covers most for least becomes an agreement."""
    with database.write() as session:
        petra, plan = _requester(session), asked_of(session, help_of_story(session)).plan
        if plan is not None:
            take_plan(session, petra, disruption_of_story(session).id, plan.id)


def is_help_taken(database: Database) -> bool:
    with database.read() as session:
        return bool(_help_agreements(session))


def sign_help(database: Database, config: Config) -> None:
    """Keller signs the replacement, and so does the partner who helps."""
    with database.read() as session:
        petra, waiting = _requester(session), [one.id for one in _help_agreements(session) if one.state == "frozen"]
        partners = {one.id: acting(session, one.partner_id, Role.MANAGER) for one in _help_agreements(session)}
    for agreement_id in waiting:
        approve_document(database, config, petra, "agreement", agreement_id)
        approve_document(database, config, partners[agreement_id], "agreement", agreement_id)


def is_help_signed(database: Database) -> bool:
    with database.read() as session:
        return all(one.state != "frozen" for one in _help_agreements(session))


def booking_of_story(session: Session) -> Booking:
    """What the first partner works in the first week, in its own house."""
    mine = _first_agreement(session)
    found = session.scalar(
        sa.select(Booking)
        .where(Booking.firm_id == mine.partner_id, Booking.agreement_id == mine.id)
        .order_by(Booking.week, Booking.line_no)
        .limit(1)
    )
    if found is None:
        raise NotFound("Es gibt noch keine Vereinbarung.")
    return found


def disruption_of_story(session: Session) -> Disruption:
    """As it stands at Keller."""
    found = _disruption(session)
    if found is None:
        raise NotFound("Noch steht keine Maschine.")
    return found


def help_of_story(session: Session) -> WorkRequest:
    """What Keller asked because of the machine."""
    found = _help(session)
    if found is None:
        raise NotFound("Die Anfrage ist noch nicht gesendet.")
    return found


def help_agreement_of_story(session: Session) -> Agreement:
    """The replacement, while it is signed and after."""
    found = _help_agreements(session)
    if not found:
        raise NotFound("Es gibt noch keine Vereinbarung.")
    return found[0]


def plan_of_story(session: Session) -> str:
    """The chosen plan of the story's request, else the one that spreads best."""
    plans = session.scalars(
        sa.select(Plan).where(Plan.firm_id == _requester(session).firm_id, Plan.request_id == _sent(session).id)
    ).all()
    ranked = sorted(plans, key=lambda plan: (plan.chosen_at is None, "spread" not in plan.goals, plan.cost_cents))
    if not ranked:
        raise NotFound("Es gibt noch keinen Plan.")
    return ranked[0].id


def request_of_story(session: Session) -> str:
    """The draft while it is written, then the request that was sent."""
    petra = _requester(session)
    found = _request(session) or open_draft(session, petra.firm_id, petra.person_id, RequestKind.HOURS, clock.now())
    if found is None:
        raise NotFound("Die Anfrage ist noch nicht gesendet.")
    return found.id


def agreement_of_story(session: Session) -> Agreement:
    """The agreement that both managers are shown: with Yilmaz, if Yilmaz has a part."""
    return _first_agreement(session)


def agreements_of_story(session: Session) -> Sequence[Agreement]:
    return _agreements(session, "ours")


def missing_min(session: Session) -> int:
    """The hours that the story's request asked for."""
    return _sent(session).need_min


def _requester(session: Session) -> Actor:
    return acting(session, firm_by_short_name(session, REQUESTER).id, Role.MANAGER)


def _request(session: Session) -> WorkRequest | None:
    """The newest request that the story's firm has sent; finished orders of the history do not count."""
    return session.scalar(
        sa.select(WorkRequest)
        .where(WorkRequest.firm_id == _requester(session).firm_id, WorkRequest.side == "ours")
        .where(WorkRequest.process_key == PROCESS, WorkRequest.state != "draft", WorkRequest.disruption_id.is_(None))
        .order_by(WorkRequest.created_at.desc(), WorkRequest.id.desc())
        .limit(1)
    )


def _disruption(session: Session) -> Disruption | None:
    return session.scalar(sa.select(Disruption).where(Disruption.firm_id == _requester(session).firm_id).limit(1))


def _help(session: Session) -> WorkRequest | None:
    found = _disruption(session)
    asked = help_requests(session, found) if found else []
    return asked[0] if asked else None


def _help_agreements(session: Session) -> Sequence[Agreement]:
    request = _help(session)
    return agreements_of_request(session, request.firm_id, request.id) if request else []


def _sent(session: Session) -> WorkRequest:
    found = _request(session)
    if found is None:
        raise NotFound("Die Anfrage ist noch nicht gesendet.")
    return found


def _agreements(session: Session, side: str) -> Sequence[Agreement]:
    petra, request = _requester(session), _request(session)
    return session.scalars(
        sa.select(Agreement)
        .where(Agreement.firm_id == petra.firm_id, Agreement.request_id == (request.id if request else ""))
        .where(Agreement.side == side)
        .order_by(Agreement.created_at, Agreement.id)
    ).all()


def _first_agreement(session: Session) -> Agreement:
    found = _agreements(session, "ours")
    named = [one for one in found if firm_of(session, one.partner_id).short_name == FIRST_PARTNER]
    if not found:
        raise NotFound("Es gibt noch keine Vereinbarung.")
    return (named or list(found))[0]


def _need(missing_min: int, first_week: str, last_week: str) -> RequirementDraft:
    return RequirementDraft(
        process_key=PROCESS,
        machine_type_key="mill_5axis",
        need_min=missing_min,
        first_week=first_week,
        last_week=last_week,
        part_mm=(180, 140, 90),
        part_g=4200,
        material="1.7225",
        needed_it=7,
        needed_ra_nm=1600,
        general_tolerance="iso_2768_1_m",
        certificates=("iso_9001",),
        part_count=250,
    )


def _details(session: Session, petra: Actor) -> Details:
    partners = tuple(one.partner_id for one in active_partners(session, petra.firm_id, "requests"))
    return Details(
        title="Gehäuse",
        shortage_reason=ShortageReason.CAPACITY,
        reply_by=default_reply_by(clock.now(), holidays_near(clock.today())),
        delivery_week=DELIVERY_WEEK,
        radius_km=RADIUS_KM,
        partner_ids=partners,
        contact_name=petra.name,
        contact_phone="03677 0000",
    )
