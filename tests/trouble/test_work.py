"""S48 and S49: what was brought, taking the work, showing a fault with a photo, and one file for a dispute."""

import io
import json
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.agreements.queries import agreement_for
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, NotFound, RuleBroken
from app.federation.models import StoredFile
from app.federation.photos import clean_photos
from app.firms.access import Role
from app.hours.actions import confirm_report
from app.notary.queries import evidence_file, export_log
from app.push.models import Alert
from app.requests.drafting import Upload
from app.trouble.actions import (
    ProvisionDraft,
    accept_work,
    announce_provision,
    answer_defect,
    approve_record,
    move_provision,
    report_defect,
    settle_defect,
)
from app.trouble.evidence import dispute_file
from app.trouble.models import Acceptance, Defect, Provision, ProvisionStep, TroublePhoto, WorkRecord
from app.trouble.records import record_of
from app.worker import run_until_quiet
from ledger.fsck import check_log
from tests.agreements.test_forgetting import KEPT, agree_to_erase
from tests.agreements.world import approval, verified
from tests.hours.world import TUESDAY, Work, begin_work
from tests.safety.scene import PNG
from tests.trouble.world import close_week

PHOTO = Upload("maß.png", PNG)


def worked(database: Database) -> Work:
    """Yilmaz worked 7,5 hours; Keller confirmed them."""
    work = begin_work(database)
    work.report(450)
    close_week(work)
    with database.write() as session:
        confirm_report(session, work.deal.actor("keller"), work.reports("keller")[0].id)
    run_until_quiet(database)
    return work


def settle_photos(database: Database) -> None:
    run_until_quiet(database)
    clean_photos(database)
    run_until_quiet(database)


def find_fault(work: Work) -> str:
    with work.database.write() as session:
        foreman = work.person("keller", Role.FOREMAN)
        defect_id = report_defect(session, foreman, work.booking_ids["keller"], "Bohrung zu groß.", [PHOTO]).id
    settle_photos(work.database)
    return defect_id


def state_of(work: Work, key: str, defect_id: str) -> str:
    with work.database.read() as session:
        return session.get_one(Defect, (work.deal.firms[key].id, defect_id)).state


def test_a_fault_is_shown_with_a_photo_disputed_and_mended_before_the_work_is_taken(database: Database) -> None:
    with clock.frozen(TUESDAY):
        work = worked(database)
        defect_id = find_fault(work)
        yilmaz = work.deal.firms["yilmaz"]
        with database.read() as session:
            told = set(session.scalars(sa.select(Alert.person_id).where(Alert.kind == "defect")))
            assert told == {yilmaz.people[Role.MANAGER], yilmaz.people[Role.FOREMAN]}
            photo = session.scalars(sa.select(TroublePhoto).where(TroublePhoto.firm_id == yilmaz.id)).one()
            assert session.get_one(StoredFile, (yilmaz.id, photo.file_id)).sha256 == photo.sha256
        with database.write() as session, pytest.raises(Conflict):
            accept_work(session, work.deal.actor("keller"), work.booking_ids["keller"])
        for answer, text in (("disputed", "Die Zeichnung sagt 8,2."), ("rework", "")):
            with database.write() as session:
                answer_defect(session, work.person("yilmaz", Role.FOREMAN), defect_id, answer, text)
            run_until_quiet(database)
            assert state_of(work, "keller", defect_id) == answer
        with database.write() as session, pytest.raises(NotFound):
            settle_defect(session, work.deal.actor("yilmaz"), defect_id)
        with database.write() as session:
            settle_defect(session, work.deal.actor("keller"), defect_id)
            accept_work(session, work.deal.actor("keller"), work.booking_ids["keller"])
        run_until_quiet(database)
        assert state_of(work, "yilmaz", defect_id) == "settled"
        with database.read() as session:
            taken = session.execute(sa.select(Acceptance.side, Acceptance.accepted_min).order_by(Acceptance.side)).all()
            assert [tuple(row) for row in taken] == [("ours", 450), ("theirs", 450)]


def test_an_acceptance_and_a_dispute_are_signed_and_both_logs_hold_them(database: Database, tmp_path: Path) -> None:
    with clock.frozen(TUESDAY):
        work = worked(database)
        defect_id = find_fault(work)
        with database.write() as session:
            answer_defect(
                session, work.person("yilmaz", Role.FOREMAN), defect_id, "disputed", "Die Zeichnung sagt 8,2."
            )
        run_until_quiet(database)
        dispute = sign_record(work, defect_id)
        with database.write() as session:
            settle_defect(session, work.deal.actor("keller"), defect_id)
            acceptance_id = accept_work(session, work.deal.actor("keller"), work.booking_ids["keller"]).id
        run_until_quiet(database)
        completion = sign_record(work, acceptance_id)
    assert (completion.message["acceptedMin"], completion.message["amountCents"]) == (450, 71_250)
    for key in ("keller", "yilmaz"):
        firm_id = work.deal.firms[key].id
        with database.read() as session:
            rows = session.scalars(sa.select(WorkRecord).where(WorkRecord.firm_id == firm_id)).all()
            assert {row.digest for row in rows} == {dispute.digest, completion.digest}
            for row in rows:
                assert verified(evidence_file(session, firm_id, row.entry_seq or 0, row.counterpart), tmp_path) == 0
            check_log(export_log(session, firm_id))


def sign_record(work: Work, subject_id: str) -> WorkRecord:
    """Keller's manager reads and signs."""
    manager = work.deal.actor("keller")
    with work.database.read() as session:
        record = record_of(session, manager.firm_id, subject_id)
        assert record is not None
        session.expunge(record)
        signature = approval(session, work.deal, "keller", bytes.fromhex(record.digest[2:]))
    with work.database.write() as session:
        signed = approve_record(session, manager, record.id, signature)
    run_until_quiet(work.database)
    return signed


def test_nobody_takes_work_or_finds_faults_before_anybody_worked(sqlite_database: Database) -> None:
    work = begin_work(sqlite_database)
    with clock.frozen(TUESDAY), sqlite_database.write() as session:
        manager, booking_id = work.deal.actor("keller"), work.booking_ids["keller"]
        with pytest.raises(RuleBroken):
            accept_work(session, manager, booking_id)
        with pytest.raises(RuleBroken):
            report_defect(session, manager, booking_id, "Bohrung zu groß.", [])
        with pytest.raises(NotFound):
            accept_work(session, work.deal.actor("yilmaz"), work.booking_ids["yilmaz"])


def test_a_fault_found_after_the_time_to_accept_counts_as_a_hidden_one_for_a_year(sqlite_database: Database) -> None:
    with clock.frozen(TUESDAY):
        work = worked(sqlite_database)
    with clock.frozen(TUESDAY.replace(year=2027, month=6)):
        defect_id = find_fault(work)
        with sqlite_database.read() as session:
            assert set(session.scalars(sa.select(Defect.is_late).where(Defect.id == defect_id))) == {True}
    with clock.frozen(TUESDAY.replace(year=2028, month=6)), pytest.raises(RuleBroken):
        find_fault(work)


def test_material_is_announced_received_and_used_up_and_both_see_it(database: Database) -> None:
    work = begin_work(database)
    with clock.frozen(TUESDAY):
        with database.write() as session:
            draft = ProvisionDraft("material", "Rundstahl 42CrMo4", 12)
            brought = announce_provision(session, work.deal.actor("keller"), work.booking_ids["keller"], draft, [PHOTO])
        settle_photos(database)
        worker = work.person("yilmaz")
        for to in ("received", "consumed"):
            with database.write() as session:
                move_provision(session, worker, brought.id, to, photos=[PHOTO])
            settle_photos(database)
        with database.write() as session, pytest.raises(Conflict):
            move_provision(session, worker, brought.id, "returned")
        with database.read() as session:
            assert set(session.scalars(sa.select(Provision.state))) == {"consumed"}
            for key in ("keller", "yilmaz"):
                steps = sa.select(ProvisionStep.state).where(ProvisionStep.firm_id == work.deal.firms[key].id)
                assert sorted(session.scalars(steps)) == ["announced", "consumed", "received"]
            assert session.scalar(sa.select(sa.func.count()).select_from(TroublePhoto)) == 6


def test_the_file_for_a_dispute_holds_proofs_slips_defects_photos_and_messages(
    sqlite_database: Database, tmp_path: Path
) -> None:
    with clock.frozen(TUESDAY):
        work = worked(sqlite_database)
        find_fault(work)
        for key in ("keller", "yilmaz"):
            with sqlite_database.read() as session:
                packed = dispute_file(session, agreement_for(session, work.deal.firms[key].id, work.agreement_id))
            with zipfile.ZipFile(io.BytesIO(packed)) as archive:
                names = archive.namelist()
                assert [name for name in names if name.startswith("7-fotos/")] != []
                assert json.loads(archive.read("3-maengel/maengel.json"))[0]["text"] == "Bohrung zu groß."
                kinds = {one["kind"] for one in json.loads(archive.read("6-nachrichten/nachrichten.json"))}
                assert {"booking.defective", "hours.reported", "hours.confirmed", "agreement.signed"} <= kinds
                proofs = [name for name in names if name.endswith("beweis.json")]
                assert len(proofs) == 3
                assert [verified(archive.read(name), tmp_path) for name in proofs] == [0, 0, 0]
    with clock.frozen(KEPT):
        assert agree_to_erase(sqlite_database, work.deal, "yilmaz", work.agreement_id) == "done"
    with sqlite_database.read() as session:
        for model in (Defect, TroublePhoto):
            assert set(session.scalars(sa.select(model.firm_id))) == {work.deal.firms["keller"].id}
