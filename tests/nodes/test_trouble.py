"""A machine stands at a partner on another node: help comes from a third one, and both old logs hold what was given back."""

import datetime as dt
from pathlib import Path

import sqlalchemy as sa

from app.agreements.actions import approve_amendment, signable_amendment
from app.agreements.models import Amendment
from app.bookings.models import Booking
from app.core import clock
from app.core.units import monday
from app.firms.access import Role
from app.notary.queries import evidence_file
from app.plans.actions import solve_plans
from app.plans.models import Plan
from app.trouble.actions import DisruptionDraft, ask_for_help, give_back_lost, report_disruption, take_plan
from tests.nodes.job import answer, play, sign, verified
from tests.nodes.world import Node, approval, link, settle_all


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


def _give_back(node: Node, disruption_id: str) -> None:
    actor = node.actor("keller")
    with node.database.write() as session:
        amendment_id = give_back_lost(session, actor, disruption_id).id
    with node.database.read() as session:
        digest, role = signable_amendment(session, actor, amendment_id)
        signature = approval(session, node, "keller", digest, role)
    with node.database.write() as session:
        approve_amendment(session, actor, amendment_id, signature)
