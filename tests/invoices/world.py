"""A sealed agreement whose hours both sides stand by: ready to be invoiced by Yilmaz, to be paid by Keller."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from app.agreements.models import Agreement
from app.bookings.models import Booking
from app.config import Config, load_config
from app.core import clock
from app.core.db import Database
from app.core.events import HoursConfirmed
from app.core.ids import new_id
from app.core.outbox import emit
from app.firms.access import Actor, Role
from app.hours.models import HourEntry, HourReport
from app.invoices.actions import change_setup, issue_invoices, order_invoice
from app.invoices.models import Invoice
from app.worker import run_until_quiet
from tests.agreements.world import Deal, drafted, make_deal, signed_by_both

IBAN = "DE89370400440532013000"


@dataclass
class Job:
    """One agreement between Keller (pays) and Yilmaz (works)."""

    deal: Deal
    agreement_id: str

    def actor(self, key: str) -> Actor:
        return self.deal.firms[key].actor(Role.MANAGER)

    def firm_id(self, key: str) -> str:
        return self.deal.firms[key].id


def make_job(database: Database, with_setup: bool = True) -> Job:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    signed_by_both(database, deal, [agreement_id])
    job = Job(deal, agreement_id)
    if with_setup:
        with database.write() as session:
            change_setup(session, job.actor("yilmaz"), "160/123/45678", IBAN, False, "R-")
    return job


def confirm(database: Database, job: Job, line_no: int, minutes: int, kind: str = "run") -> None:
    """Both sides stand by hours on one booking, as the room `hours` leaves them."""
    with database.write() as session:
        for key in ("keller", "yilmaz"):
            booking = session.scalars(
                sa.select(Booking).where(
                    Booking.firm_id == job.firm_id(key),
                    Booking.agreement_id == job.agreement_id,
                    Booking.line_no == line_no,
                )
            ).one()
            common = {"firm_id": booking.firm_id, "created_at": clock.now()}
            report = HourReport(
                **common, id=new_id(), side=booking.side, booking_id=booking.id, agreement_id=job.agreement_id,
                partner_id=booking.partner_id, week=booking.week, state="confirmed", settled_at=clock.now(),
            )  # fmt: skip
            session.add(report)
            session.flush()
            rest = minutes
            while rest > 0:
                part = min(rest, 1440)
                session.add(
                    HourEntry(
                        **common, id=new_id(), report_id=report.id, day=dt.date(2026, 12, 1), minutes=part, kind=kind
                    )
                )  # fmt: skip
                rest -= part
            if key == "yilmaz":  # at Keller it is a word to the partner, and there the room of the hours has its tests
                emit(
                    session,
                    HoursConfirmed(
                        booking.firm_id, report.id, booking.id, booking.partner_id, job.agreement_id, booking.side
                    ),
                )
    run_until_quiet(database)


def config_of(tmp_path: object = "/nowhere") -> Config:
    return load_config({"DATA_DIR": str(tmp_path)})


def issue(database: Database, job: Job, config: Config, invoice_id: str | None = None) -> Invoice:
    """Yilmaz sends the open draft; everything that follows from it happens."""
    found = invoice_id or the_invoice(database, job, "yilmaz", "draft").id
    with database.write() as session:
        order_invoice(session, job.actor("yilmaz"), found)
    return settle(database, job, config, found)


def settle(database: Database, job: Job, config: Config, invoice_id: str, key: str = "yilmaz") -> Invoice:
    run_until_quiet(database)
    issue_invoices(database, config)
    run_until_quiet(database)
    return at(database, job, key, invoice_id)


def at(database: Database, job: Job, key: str, invoice_id: str) -> Invoice:
    """The invoice as it stands in one firm's house."""
    with database.read() as session:
        found = session.get_one(Invoice, (job.firm_id(key), invoice_id))
        session.expunge(found)
    return found


def the_invoice(database: Database, job: Job, key: str, state: str) -> Invoice:
    """The only invoice of a firm in a state."""
    with database.read() as session:
        found = session.scalars(
            sa.select(Invoice).where(Invoice.firm_id == job.firm_id(key), Invoice.state == state)
        ).one()
        session.expunge(found)
    return found


def agreement_at(database: Database, job: Job, key: str) -> Agreement:
    with database.read() as session:
        found = session.get_one(Agreement, (job.firm_id(key), job.agreement_id))
        session.expunge(found)
    return found
