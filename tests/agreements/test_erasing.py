"""What was not chosen goes after six months, at both sides; what an agreement stands on stays."""

import datetime as dt

import pytest
import sqlalchemy as sa

from app.agreements.models import Agreement, AgreementLine, Bundle
from app.capacity.models import Hold
from app.core import clock
from app.core.db import Base, Database
from app.federation.models import Message
from app.firms.models import AuditEvent
from app.offers.actions import answer_yes
from app.offers.models import Offer, OfferLine
from app.plans.actions import solve_due_plans
from app.plans.models import Plan, PlanLine
from app.push.models import Alert
from app.requests.actions import Upload, answer_question, ask_question, withdraw_request
from app.requests.models import Question, RequestFile, WorkRequest
from app.worker import end_what_is_due, run_until_quiet
from tests.agreements.world import Deal, drafted, make_deal, minutes_of, signed_by_both
from tests.conftest import MONDAY
from tests.offers.test_drawings import ask_with_drawings
from tests.requests.story import foreman, people_of_the_story
from tests.world import TestFirm

NEARLY = dt.timedelta(days=180)
LATER = dt.timedelta(days=190)


def test_a_request_without_an_agreement_is_erased_at_both_sides_after_six_months(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = talked_over(database, world)
    noise = ask_with_drawings(database, world)
    with database.write() as session:
        withdraw_request(session, world["keller"].actor(), request_id)
    run_until_quiet(database)
    with clock.frozen(MONDAY + NEARLY):
        end_what_is_due(database)
        assert said_about(database, request_id)
    with clock.frozen(MONDAY + LATER):
        end_what_is_due(database)
    assert said_about(database, request_id) == set()
    assert rows(database, Offer) == rows(database, OfferLine) == rows(database, Plan) == rows(database, Question) == 0
    assert rows(database, Hold, Hold.state == "released") == 0
    with database.read() as session:
        assert session.scalars(sa.select(Alert.id).where(Alert.subject_id.startswith(request_id))).all() == []
        assert session.scalars(sa.select(RequestFile.request_id).distinct()).all() in ([noise], [])
        assert session.scalar(sa.select(sa.func.count()).select_from(AuditEvent).where(erased_event(request_id))) == 3


def test_only_that_an_offer_came_is_remembered_not_what_it_said(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = talked_over(database, world)
    with database.write() as session:
        withdraw_request(session, world["keller"].actor(), request_id)
    run_until_quiet(database)
    with clock.frozen(MONDAY + LATER):
        end_what_is_due(database)
    with database.read() as session:
        offers = session.scalars(sa.select(Message).where(Message.kind == "offer.made")).all()
        assert {message.firm_id for message in offers} == {world["keller"].id, world["yilmaz"].id}
        assert all(message.body == {"request_id": request_id} for message in offers)


def test_what_an_agreement_stands_on_stays_and_the_other_offers_go(database: Database) -> None:
    deal = make_deal(database)
    ask_about_it(database, deal)
    signed_by_both(database, deal, drafted(database, deal))
    booked = minutes_of(database, deal, "yilmaz")
    live_on(database, 7, 200, 230)
    assert offers_at(database, deal, "keller") == offers_at(database, deal, "yilmaz") == {deal.offers["yilmaz"]}
    assert offers_at(database, deal, "nowak") == set()
    assert asked_firms(database, deal) == {"keller", "yilmaz"}
    assert threads_at(database, deal, "keller") == threads_at(database, deal, "yilmaz") == {"Geht IT7?", "Ja."}
    assert threads_at(database, deal, "nowak") == set()
    assert minutes_of(database, deal, "yilmaz") == booked
    assert (rows(database, Plan), rows(database, PlanLine)) == (1, 4)


def test_a_day_later_nothing_is_erased_twice(database: Database) -> None:
    deal = make_deal(database)
    signed_by_both(database, deal, drafted(database, deal))
    live_on(database, 7, 200, 230, 231, 500)
    with database.read() as session:
        found = session.scalars(sa.select(AuditEvent.firm_id).where(erased_event(deal.request_id))).all()
    assert sorted(found) == sorted({firm.id for firm in deal.firms.values()})


@pytest.mark.parametrize("all_or_none", [True, False])
def test_a_draft_that_never_left_the_house_goes_with_its_price(database: Database, all_or_none: bool) -> None:
    deal = make_deal(database, ("yilmaz", "brandt"), all_or_none=all_or_none)
    ids = drafted(database, deal)
    if not all_or_none:
        signed_by_both(database, deal, ids[:1])
    live_on(database, 4, 8, 200, 230)
    with database.read() as session:
        left = set(session.scalars(sa.select(Agreement.id)))
        lines = set(session.scalars(sa.select(AgreementLine.agreement_id)))
    assert left == lines == (set() if all_or_none else {ids[0]})
    assert rows(database, Bundle) == 0


def live_on(database: Database, *days: int) -> None:
    """What is due on each of these days happens."""
    for count in days:
        with clock.frozen(MONDAY + dt.timedelta(days=count)):
            end_what_is_due(database)


def talked_over(database: Database, world: dict[str, TestFirm]) -> str:
    """Keller asks two with drawings; Yilmaz asks back with a photo and says yes; plans are built."""
    request_id, yilmaz = ask_with_drawings(database, world), world["yilmaz"]
    with database.write() as session:
        ask_question(session, yilmaz.actor(), request_id, "Geht IT7?", [Upload("frage.pdf", b"%PDF-1.7 q")])
        answer_yes(session, yilmaz.id, foreman(yilmaz), request_id)
    run_until_quiet(database)
    with database.write() as session:
        answer_question(session, world["keller"].actor(), request_id, yilmaz.id, "Ja.")
    run_until_quiet(database)
    solve_due_plans(database, None)  # type: ignore[arg-type]
    return request_id


def ask_about_it(database: Database, deal: Deal) -> None:
    """Two partners ask the same and get the same answer."""
    for key in ("yilmaz", "nowak"):
        with database.write() as session:
            ask_question(session, deal.actor(key), deal.request_id, "Geht IT7?")
        run_until_quiet(database)
        with database.write() as session:
            answer_question(session, deal.actor("keller"), deal.request_id, deal.firms[key].id, "Ja.")
        run_until_quiet(database)


def said_about(database: Database, request_id: str) -> set[str]:
    """Tables that still hold something of the request, and messages that still say more than its name."""
    with database.read() as session:
        found = {
            table.__tablename__
            for table in (WorkRequest, RequestFile, Question, Offer, Plan)
            for column in ("id", "request_id")
            if hasattr(table, column)
            and session.scalar(sa.select(table.firm_id).where(getattr(table, column) == request_id).limit(1))
        }
        bodies = session.scalars(sa.select(Message.body).where(Message.subject_id == request_id))
        return found | {"message" for body in bodies if body.keys() - {"request_id"}}


def rows(database: Database, table: type[Base], *where: sa.ColumnElement[bool]) -> int:
    with database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0


def erased_event(request_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(AuditEvent.verb == "unchosen_erased", AuditEvent.object_id == request_id)


def offers_at(database: Database, deal: Deal, key: str) -> set[str]:
    with database.read() as session:
        return set(session.scalars(sa.select(Offer.id).where(Offer.firm_id == deal.firms[key].id)))


def threads_at(database: Database, deal: Deal, key: str) -> set[str]:
    with database.read() as session:
        return set(session.scalars(sa.select(Question.text).where(Question.firm_id == deal.firms[key].id)))


def asked_firms(database: Database, deal: Deal) -> set[str]:
    with database.read() as session:
        held = set(session.scalars(sa.select(WorkRequest.firm_id)))
    return {key for key, firm in deal.firms.items() if firm.id in held}
