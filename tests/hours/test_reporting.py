"""The worker's part: nothing doubled, nothing lost, a correction is a new entry, and no person in what others see."""

import datetime as dt

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.firms.access import Role
from app.hours.actions import EntryDraft, correct_entry, hide_authors, report_hours
from app.hours.models import HourAuthor, HourEntry
from app.hours.queries import entries_of, own_entries
from tests.hours.world import TODAY, TUESDAY, begin_work


def test_the_same_entry_sent_twice_is_one(database: Database) -> None:
    work = begin_work(database)
    with clock.frozen(TUESDAY):
        first = work.report()
        assert work.report() == first
        assert work.report(60, key="another key of the phone") != first
    (report,) = work.reports()
    with database.read() as session:
        assert [entry.minutes for entry in entries_of(session, report.firm_id, report.id)] == [450, 60]
        assert report.state == "reported"
    assert work.booking().state == "running"


def test_a_correction_is_a_new_entry_and_the_old_one_stays(database: Database) -> None:
    work = begin_work(database)
    worker = work.person("yilmaz")
    with clock.frozen(TUESDAY):
        wrong = work.report()
        with database.write() as session:
            right = correct_entry(session, worker, wrong, EntryDraft(TODAY, 465), "the key of the correction")
            assert (
                correct_entry(session, worker, wrong, EntryDraft(TODAY, 465), "the key of the correction").id
                == right.id
            )
        with pytest.raises(RuleBroken, match="schon geprüft"), database.write() as session:
            correct_entry(session, worker, wrong, EntryDraft(TODAY, 60), "yet another key of it")
        with pytest.raises(NotFound), database.write() as session:
            correct_entry(
                session, work.person("keller", Role.MANAGER), right.id, EntryDraft(TODAY, 60), "a partner's key 1"
            )
        with database.read() as session:
            assert session.get_one(HourEntry, (worker.firm_id, wrong)).minutes == 450
            assert [entry.minutes for entry in own_entries(session, worker, TODAY)] == [465]
        with database.write() as session:
            correct_entry(session, worker, right.id, EntryDraft(TODAY, 0), "the key of taking back")
        with database.read() as session:
            assert own_entries(session, worker, TODAY) == []


def test_a_machine_works_at_most_a_day_a_day_and_only_in_the_agreed_week(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database)
    with clock.frozen(TUESDAY):
        work.report(20 * 60)
        with pytest.raises(RuleBroken, match="höchstens 24 Stunden"):
            work.report(5 * 60, key="five more hours that day")
        work.report(4 * 60, key="four more hours that day", kind="idle")
        for day, why in (
            (TODAY + dt.timedelta(days=1), "kommt erst noch"),
            (TODAY - dt.timedelta(days=2), "vereinbarten KW"),
        ):
            with pytest.raises(RuleBroken, match=why):
                work.report(60, day, key=f"the key of {day}")
        with pytest.raises(RuleBroken, match="Mehr Ausschuss als Teile"):
            work.report(0, key="more scrap than parts", quantity=1, scrap=2)
        with pytest.raises(NotFound), sqlite_database.write() as session:
            keller = work.person("keller")
            report_hours(session, keller, work.booking_ids["keller"], EntryDraft(TODAY, 60), "not our work at all")


def test_after_ninety_days_a_pseudonym_stands_where_the_person_was(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database)
    with clock.frozen(TUESDAY):
        work.report()
    late = TUESDAY.replace(minute=0) + dt.timedelta(days=90)
    with sqlite_database.write() as session:
        hide_authors(session, late - dt.timedelta(hours=1))
        people = sa.select(HourAuthor.person_id)
        assert session.scalars(people).one() == work.person("yilmaz").person_id
        hide_authors(session, late)
        session.flush()
        assert session.scalars(people).one() not in set(work.deal.firms["yilmaz"].people.values())
