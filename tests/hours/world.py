"""Yilmaz works for Keller: a sealed agreement, and the Tuesday of its first week."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from app.bookings.models import Booking
from app.core.db import Database
from app.firms.access import Actor, Role
from app.hours.actions import EntryDraft, report_hours
from app.hours.models import HourReport
from tests.agreements.world import Deal, drafted, make_deal, provider_of, signed_by_both

TUESDAY = dt.datetime(2026, 12, 1, 14, 0, tzinfo=dt.UTC)
"""Of KW 49, 15:00 in Germany"""
TODAY = TUESDAY.date()


@dataclass
class Work:
    """The agreement and its booking of KW 49 (10 hours) in both houses."""

    database: Database
    deal: Deal
    agreement_id: str
    booking_ids: dict[str, str]

    def person(self, key: str, role: Role = Role.WORKER) -> Actor:
        return self.deal.firms[key].actor(role)

    def report(self, minutes: int = 450, day: dt.date = TODAY, key: str = "k" * 20, **more: int | str) -> str:
        """Yilmaz's worker sends hours; returns the entry's id."""
        with self.database.write() as session:
            draft = EntryDraft(day, minutes, **more)  # type: ignore[arg-type]
            return report_hours(session, self.person("yilmaz"), self.booking_ids["yilmaz"], draft, key).id

    def reports(self, key: str = "yilmaz") -> list[HourReport]:
        with self.database.read() as session:
            query = sa.select(HourReport).where(HourReport.firm_id == self.deal.firms[key].id).order_by(HourReport.id)
            found = list(session.scalars(query))
            session.expunge_all()
        return found

    def booking(self, key: str = "yilmaz") -> Booking:
        with self.database.read() as session:
            found = session.get_one(Booking, (self.deal.firms[key].id, self.booking_ids[key]))
            session.expunge(found)
        return found


def begin_work(database: Database, partners: Sequence[str] = ("yilmaz",)) -> Work:
    """All have signed; nothing is reported yet. Who else works on Keller's job may be named beside Yilmaz."""
    deal = make_deal(database, partners)
    agreement_ids = drafted(database, deal)
    signed_by_both(database, deal, agreement_ids)
    agreement_id = next(one for one in agreement_ids if provider_of(database, deal, one) == "yilmaz")
    with database.read() as session:
        found = {
            key: session.scalar(
                sa.select(Booking.id).where(Booking.firm_id == deal.firms[key].id, Booking.week == "2026-W49")
            )
            or ""
            for key in ("keller", "yilmaz")
        }
    return Work(database, deal, agreement_id, found)
