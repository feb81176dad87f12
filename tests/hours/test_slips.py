"""The countersigned slip: checked here, confirmed there, and provable by each side alone."""

import datetime as dt
import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.core.events import HoursConfirmed
from app.firms.access import Role
from app.hours.actions import (
    EntryDraft,
    check_reports,
    confirm_report,
    correct_entry,
    dispute_report,
    settle_silent,
    start_correction,
)
from app.hours.models import HourAuthor, HourEntry, HourRecord
from app.hours.queries import confirmed_hours, entries_of, record_of
from app.notary.queries import evidence_file, export_log
from app.worker import run_until_quiet
from ledger.fsck import check_log
from tests.agreements.test_forgetting import KEPT, agree_to_erase
from tests.agreements.world import verified
from tests.hours.world import TODAY, TUESDAY, Work, begin_work

THURSDAY = TUESDAY + dt.timedelta(days=2)


def check(work: Work) -> str:
    """Yilmaz's foreman closes the week; everything that follows happens."""
    open_ids = [report.id for report in work.reports() if report.state in ("draft", "reported")]
    with work.database.write() as session:
        (report,) = check_reports(session, work.person("yilmaz", Role.FOREMAN), open_ids)
    run_until_quiet(work.database)
    return report.id


def confirm(work: Work, report_id: str) -> None:
    with work.database.write() as session:
        confirm_report(session, work.person("keller", Role.FOREMAN), report_id)
    run_until_quiet(work.database)


def dispute(work: Work, report_id: str, reason: str = "Am Dienstag stand die Maschine.") -> None:
    keller = work.person("keller", Role.FOREMAN)
    with work.database.write() as session:
        entry_ids = [entry.id for entry in entries_of(session, keller.firm_id, report_id)]
        dispute_report(session, keller, report_id, entry_ids, reason)
    run_until_quiet(work.database)


def states(work: Work) -> tuple[list[str], list[str]]:
    """What became of each report, at the provider and at the requester."""
    return [one.state for one in work.reports()], [one.state for one in work.reports("keller")]


def test_a_slip_is_signed_by_both_and_each_side_proves_it_alone(database: Database, tmp_path: Path) -> None:
    work = begin_work(database)
    with clock.frozen(TUESDAY):
        work.report(450, quantity=12, scrap=1)
        work.report(60, key="the set-up of that day", kind="set_up")
        report_id = check(work)
        assert states(work) == (["checked"], ["checked"])
        confirm(work, report_id)
    assert states(work) == (["confirmed"], ["confirmed"])
    assert (work.booking().state, work.booking("keller").state) == ("done", "done")
    evidence: dict[str, set[str]] = {"report": set(), "confirm": set()}
    for key, side in (("keller", "theirs"), ("yilmaz", "ours")):
        firm_id = work.deal.firms[key].id
        with database.read() as session:
            hours = confirmed_hours(session, firm_id, work.booking_ids[key])
            assert [(one.kind, one.minutes, one.quantity, one.scrap, one.side) for one in hours] == [
                ("run", 450, 12, 1, side),
                ("set_up", 60, 0, 0, side),
            ]
            for kind, seen in evidence.items():
                record = record_of(session, firm_id, report_id, kind)
                assert record is not None
                body = evidence_file(session, firm_id, record.entry_seq, record.counterpart)
                assert verified(body, tmp_path) == 0
                seen.add(record.digest)
                assert not any(person.encode() in body for person in work.deal.firms["yilmaz"].people.values())
            check_log(export_log(session, firm_id))
    assert [len(seen) for seen in evidence.values()] == [1, 1]


def test_the_reporter_never_confirms_the_own_report(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database)
    with clock.frozen(TUESDAY):
        work.report()
        report_id = check(work)
        for act in (confirm_report, lambda *given: dispute_report(*given, ["x"], "Nein")):
            with pytest.raises(RuleBroken, match="bestätigt euer Partner"), sqlite_database.write() as session:
                act(session, work.person("yilmaz", Role.MANAGER), report_id)
        with pytest.raises(NotFound), sqlite_database.write() as session:
            check_reports(session, work.person("keller", Role.MANAGER), [report_id])
        with pytest.raises(NotFound), sqlite_database.write() as session:
            confirm_report(session, work.deal.firms["brandt"].actor(Role.MANAGER), report_id)


def test_no_more_than_agreed_and_its_tolerance_counts(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database)
    with clock.frozen(TUESDAY):
        work.report(600)
        confirm(work, check(work))
        work.report(75, key="a late entry of that week")
        assert work.reports()[-1].state == "reported"
        with pytest.raises(RuleBroken, match="sind nur 11 Stunden vereinbart"):
            check(work)
        with sqlite_database.write() as session:
            late = entries_of(session, work.reports()[-1].firm_id, work.reports()[-1].id)[0]
            assert late.is_late
            correct_entry(session, work.person("yilmaz"), late.id, EntryDraft(TODAY, 60), "a smaller late entry")
        confirm(work, check(work))
    assert states(work) == (["confirmed"] * 2, ["confirmed"] * 2)


def test_a_disputed_line_is_corrected_by_a_new_report_that_names_the_old_one(
    sqlite_database: Database, tmp_path: Path
) -> None:
    work = begin_work(sqlite_database)
    foreman = work.person("yilmaz", Role.FOREMAN)
    with clock.frozen(TUESDAY):
        work.report(450)
        first = check(work)
        dispute(work, first)
        assert states(work) == (["disputed"], ["disputed"])
        assert work.reports()[0].reason == "Am Dienstag stand die Maschine."
        with sqlite_database.write() as session:
            new = start_correction(session, foreman, first)
            (entry,) = entries_of(session, foreman.firm_id, new.id)
            correct_entry(session, foreman, entry.id, EntryDraft(TODAY, 390), "the corrected number")
        second = check(work)
        assert states(work) == (["corrected", "checked"], ["corrected", "checked"])
        confirm(work, second)
    assert states(work) == (["corrected", "confirmed"], ["corrected", "confirmed"])
    with sqlite_database.read() as session:
        assert [one.minutes for one in confirmed_hours(session, foreman.firm_id, work.booking_ids["yilmaz"])] == [390]
        assert [one.minutes for one in entries_of(session, foreman.firm_id, first)] == [450]
        record = record_of(session, foreman.firm_id, second, "report")
        assert record is not None
        body = evidence_file(session, foreman.firm_id, record.entry_seq, record.counterpart)
        assert len(json.loads(body)["chain"]) == 1
    assert verified(body, tmp_path) == 0


def test_silence_is_a_yes_after_the_agreed_working_days_and_not_before(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database)
    with clock.frozen(TUESDAY):
        work.report()
        check(work)
    at = TUESDAY.replace(hour=8, minute=0)
    for days, expected in ((7, ("checked", "checked")), (8, ("auto_confirmed", "auto_confirmed"))):
        with clock.frozen(at + dt.timedelta(days=days)):
            with sqlite_database.write() as session:
                settle_silent(session, clock.now())
            run_until_quiet(sqlite_database)
            assert tuple(found[0] for found in states(work)) == expected
    with sqlite_database.read() as session:
        assert confirmed_hours(session, work.deal.firms["keller"].id, work.booking_ids["keller"]) != ()
    assert HoursConfirmed.__name__ in HoursConfirmed.kinds


def test_hours_go_with_their_agreement_and_the_log_still_holds(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database)
    with clock.frozen(TUESDAY):
        work.report()
        confirm(work, check(work))
    with clock.frozen(KEPT):
        assert agree_to_erase(sqlite_database, work.deal, "yilmaz", work.agreement_id) == "done"
    assert states(work) == ([], ["confirmed"])
    with sqlite_database.read() as session:
        lines = export_log(session, work.deal.firms["yilmaz"].id)
        assert check_log(b"".join(lines).splitlines(keepends=True)).erased == 3
        for model in (HourEntry, HourAuthor, HourRecord):
            assert session.scalar(sa.select(model.id).where(model.firm_id == work.deal.firms["yilmaz"].id)) is None
