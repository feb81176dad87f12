"""A machine stands at a partner on another node: help comes from a third one, and both old logs hold what was given back."""

import datetime as dt
from pathlib import Path

import sqlalchemy as sa

from app.agreements.actions import approve_amendment, signable_amendment
from app.agreements.models import Amendment
from app.bookings.models import Booking
from app.core import clock
from app.core.units import monday
from app.federation.models import StoredFile
from app.federation.photos import clean_photos
from app.firms.access import Role
from app.hours.actions import EntryDraft, check_reports, report_hours
from app.notary.queries import evidence_file
from app.plans.actions import solve_plans
from app.plans.models import Plan
from app.requests.drafting import Upload
from app.trouble.actions import (
    DisruptionDraft,
    ProvisionDraft,
    announce_provision,
    answer_defect,
    ask_for_help,
    give_back_lost,
    move_provision,
    report_defect,
    report_disruption,
    settle_defect,
    take_plan,
)
from app.trouble.models import Defect, Provision, TroublePhoto
from tests.nodes.job import answer, play, sign, verified
from tests.nodes.world import Node, approval, link, settle_all
from tests.safety.scene import PNG


def test_lost_hours_go_to_another_node_and_leave_the_old_agreement(nodes: list[Node], tmp_path: Path) -> None:
    one, two, three = nodes
    link(one, "keller", two, "yilmaz", nodes)
    link(one, "keller", three, "brandt", nodes)
    play(nodes, [(two, "yilmaz")], 20 * 60)
    worker = two.firms["yilmaz"].actor(Role.WORKER)
    with two.database.read() as session:
        booking = session.scalars(sa.select(Booking).order_by(Booking.week)).first()
        assert booking is not None
        session.expunge(booking)
    with clock.frozen(dt.datetime.combine(monday(booking.week), dt.time(9), dt.UTC)):
        with two.database.write() as session:
            draft = DisruptionDraft("illness", minutes={booking.id: booking.agreed_min})
            (found,) = report_disruption(session, worker, booking.id, draft)
        settle_all(nodes)
        with one.database.write() as session:
            (request_id,) = ask_for_help(session, one.actor("keller"), found.id)
        settle_all(nodes)
        answer(three, "brandt", request_id)
        settle_all(nodes)
        solve_plans(one.database, one.firm_id("keller"), request_id)
        with one.database.write() as session:
            plan_id = session.scalars(sa.select(Plan.id).where(Plan.request_id == request_id)).first() or ""
            agreement_id = take_plan(session, one.actor("keller"), found.id, plan_id)
        sign(one, "keller", agreement_id)
        settle_all(nodes)
        sign(three, "brandt", agreement_id)
        _give_back(one, found.id)
        settle_all(nodes)
    for node, key in ((one, "keller"), (two, "yilmaz")):
        with node.database.read() as session:
            amendment = session.scalars(sa.select(Amendment)).one()
            assert (amendment.state, amendment.message["basis"], amendment.fee_cents) == ("in_force", "clause 23", 0)
            body = evidence_file(session, node.firm_id(key), amendment.entry_seq or 0, amendment.counterpart)
            old = sa.select(Booking.agreed_min).where(Booking.agreement_id == booking.agreement_id)
            assert 0 in session.scalars(old.where(Booking.line_no == booking.line_no)).all()
        assert verified(body, tmp_path) == 0
    with three.database.read() as session:
        assert session.scalar(sa.select(sa.func.sum(Booking.agreed_min))) == booking.agreed_min


def test_material_arrives_and_a_fault_is_shown_with_photos_across_nodes(nodes: list[Node]) -> None:
    one, two, _ = nodes
    link(one, "keller", two, "yilmaz", nodes)
    play(nodes, [(two, "yilmaz")], 20 * 60)
    with one.database.read() as session:
        booking = session.scalars(sa.select(Booking).order_by(Booking.week)).first()
        assert booking is not None
        session.expunge(booking)
    manager, yilmaz = one.actor("keller"), two.firms["yilmaz"]
    photo = [Upload("foto.png", PNG)]
    day = monday(booking.week)
    with clock.frozen(dt.datetime.combine(day, dt.time(15), dt.UTC)):
        with one.database.write() as session:
            brought = announce_provision(
                session, manager, booking.id, ProvisionDraft("fixture", "Spannvorrichtung"), photo
            )
        _settle_photos(nodes)
        with two.database.write() as session:
            move_provision(session, yilmaz.actor(Role.WORKER), brought.id, "received", "Kratzer", photo)
            own = session.scalars(sa.select(Booking.id).where(Booking.line_no == booking.line_no)).one()
            entry = report_hours(session, yilmaz.actor(Role.WORKER), own, EntryDraft(day, 60), "key of the phone")
            check_reports(session, yilmaz.actor(Role.FOREMAN), [entry.report_id])
        _settle_photos(nodes)
        with one.database.write() as session:
            defect = report_defect(session, manager, booking.id, "Bohrung zu groß.", photo)
        _settle_photos(nodes)
        with two.database.write() as session:
            answer_defect(session, yilmaz.actor(Role.FOREMAN), defect.id, "rework", "")
        settle_all(nodes)
        with one.database.write() as session:
            settle_defect(session, manager, defect.id)
        settle_all(nodes)
    for node in (one, two):
        with node.database.read() as session:
            assert session.scalars(sa.select(Provision.state)).one() == "received"
            assert session.scalars(sa.select(Defect.state)).one() == "settled"
            photos = session.scalars(sa.select(TroublePhoto)).all()
            kept = [session.get_one(StoredFile, (photo.firm_id, photo.file_id)) for photo in photos]
            assert [file.sha256 for file in kept] == [photo.sha256 for photo in photos]
            assert len(kept) == 3


def _settle_photos(nodes: list[Node]) -> None:
    settle_all(nodes)
    for node in nodes:
        clean_photos(node.database)
    settle_all(nodes)


def _give_back(node: Node, disruption_id: str) -> None:
    actor = node.actor("keller")
    with node.database.write() as session:
        amendment_id = give_back_lost(session, actor, disruption_id).id
    with node.database.read() as session:
        digest, role = signable_amendment(session, actor, amendment_id)
        signature = approval(session, node, "keller", digest, role)
    with node.database.write() as session:
        approve_amendment(session, actor, amendment_id, signature)
