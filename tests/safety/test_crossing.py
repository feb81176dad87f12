"""Messages that cross between two firms while two workers deliver: nobody waits for the other for ever."""

import threading

import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.federation.actions import deliver_message
from app.federation.models import Message
from app.reactions import INBOX
from app.requests.actions import answer_question, ask_question
from app.worker import run_until_quiet, settle_events
from tests.long.race_world import MONDAY
from tests.requests.story import ask, people_of_the_story
from tests.world import TestFirm

LINES = 30


def test_questions_and_answers_that_cross_are_all_delivered_at_the_first_try(database: Database) -> None:
    # given a thread in which both sides wrote much before anything was delivered
    world = people_of_the_story(database)
    keller, yilmaz = world["keller"], world["yilmaz"]
    request_id = ask(database, world, partners=("yilmaz",))
    with database.write() as session:
        ask_question(session, yilmaz.actor(), request_id, "Welches Material?")
    run_until_quiet(database)
    for number in range(LINES):
        with database.write() as session:
            ask_question(session, yilmaz.actor(), request_id, f"Frage {number}")
        with database.write() as session:
            answer_question(session, keller.actor(), request_id, yilmaz.id, f"Antwort {number}")
    settle_events(database)

    # when one worker delivers to the one firm and another one to the other firm
    faults: list[Exception] = []
    workers = [threading.Thread(target=_deliver_all, args=(database, firm, faults)) for firm in (keller, yilmaz)]
    [worker.start() for worker in workers]
    [worker.join(60) for worker in workers]

    # then
    assert faults == []
    with database.read() as session:
        states = set(session.scalars(sa.select(Message.state).where(Message.direction == "out")))
    assert states == {"delivered"}


def _deliver_all(database: Database, firm: TestFirm, faults: list[Exception]) -> None:
    query = sa.select(Message.id).where(Message.firm_id == firm.id, Message.direction == "out").order_by(Message.seq)
    with clock.frozen(MONDAY):
        with database.read() as session:
            ids = session.scalars(query).all()
        for message_id in ids:
            try:
                with database.write() as session:
                    deliver_message(session, firm.id, message_id, INBOX)
            except Exception as error:
                faults.append(error)
