"""A firm with a year behind it, from a seed: machines, free hours, requests, offers, signed agreements, messages, files."""

import datetime as dt
import hashlib
import random
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.actions import draft_agreements
from app.capacity.models import CapacityWindow
from app.core import clock
from app.core.db import Database
from app.core.units import week_of
from app.federation.models import Message, StoredFile
from app.offers.models import Offer, OfferLine
from app.requests.models import Question, WorkRequest
from app.worker import run_until_quiet
from tests.agreements.world import WEEKS, _ask, _choose, _offer, make_deal, sign
from tests.world import TestFirm, add_machine


@dataclass(frozen=True)
class Size:
    """How much happened in the year."""

    machines: int = 10
    weeks: int = 52
    requests: int = 300
    offers: int = 500
    agreements: int = 200
    messages: int = 500
    files: int = 50


SMALL = Size(machines=2, weeks=5, requests=4, offers=5, agreements=1, messages=6, files=3)


class Year:
    """Keller's year; ids and times come from the seed, signatures are real."""

    def __init__(self, database: Database, size: Size, seed: int) -> None:
        self.database, self.size, self.random = database, size, random.Random(seed)
        self.deal = make_deal(database)

    @property
    def keller(self) -> TestFirm:
        return self.deal.firms["keller"]

    def pass_by(self) -> str:
        """Let it all happen; returns Keller's id."""
        with self.database.write() as session:
            self._free_hours(session)
            self._files(session)
        for _ in range(self.size.agreements):
            self._agree()
        with self.database.write() as session:
            self._requests(session)
            self._messages(session)
        return self.keller.id

    def _agree(self) -> None:
        """One request, one offer, one plan, two signatures."""
        deal = self.deal
        with self.database.write() as session:
            # the hours of the weeks that everybody takes are never the point here
            hot = CapacityWindow.week.in_((*WEEKS, "2027-W01"))
            session.execute(sa.update(CapacityWindow).where(hot).values(maximum_min=10**7, actual_min=10**7))
            _ask(session, deal, True)
            deal.offers["yilmaz"] = _offer(session, deal, "yilmaz", 40)
            _choose(session, deal, ("yilmaz",), 40)
        with self.database.write() as session:
            ids = draft_agreements(session, deal.actor("keller"), deal.plan_id)
        run_until_quiet(self.database)
        for key in ("keller", "yilmaz"):
            sign(self.database, deal, key, ids[0])

    def _id(self) -> str:
        digits = f"{self.random.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-7{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"

    def _moment(self) -> dt.datetime:
        return clock.now() - dt.timedelta(minutes=self.random.randrange(365 * 24 * 60))

    def _words(self, count: int) -> str:
        return " ".join(
            self.random.choice(("Gehäuse", "Flansch", "=1+1", "Ø 30 h7", "„Eile“", "x;y")) for _ in range(count)
        )

    def _free_hours(self, session: Session) -> None:
        for number in range(self.size.machines):
            machine_id = add_machine(session, self.keller, f"J{number}")
            for week in range(self.size.weeks):
                day = clock.today() + dt.timedelta(weeks=week)
                session.add(
                    CapacityWindow(
                        firm_id=self.keller.id, id=self._id(), created_at=self._moment(), machine_id=machine_id,
                        week=week_of(day), maximum_min=4440, actual_min=self.random.randrange(0, 4440, 15),
                    )
                )  # fmt: skip

    def _files(self, session: Session) -> None:
        for number in range(self.size.files):
            body = self.random.randbytes(self.random.randrange(50_000, 2_000_000))
            session.add(
                StoredFile(
                    firm_id=self.keller.id, id=self._id(), created_at=self._moment(), name=f"Zeichnung {number}.pdf",
                    sha256=hashlib.sha256(body).hexdigest(), media_type="application/pdf", size=len(body), body=body,
                )
            )  # fmt: skip

    def _requests(self, session: Session) -> None:
        """Requests that came to nothing, with their offers and questions."""
        partner = self.deal.firms["yilmaz"]
        for number in range(self.size.requests - self.size.agreements):
            request_id = self._id()
            session.add(
                WorkRequest(
                    firm_id=self.keller.id, id=request_id, created_at=self._moment(), side="ours", kind="hours",
                    state="expired", title=self._words(2), first_week="2026-W10", last_week="2026-W14", certificates=[],
                    needs={"surface": self._words(1)}, need_min=self.random.randrange(60, 9000, 15), note=self._words(9),
                    lat=self.random.uniform(47, 55), lon=self.random.uniform(6, 15),
                )
            )  # fmt: skip
            session.flush()
            session.add(
                Question(
                    firm_id=self.keller.id, id=self._id(), created_at=self._moment(), request_id=request_id,
                    partner_id=partner.id, is_ours=False, text=self._words(12),
                )
            )  # fmt: skip
            for _ in range((self.size.offers - self.size.agreements) // (self.size.requests - self.size.agreements)):
                self._expired_offer(session, request_id, number)

    def _expired_offer(self, session: Session, request_id: str, number: int) -> None:
        partner, offer_id = self.deal.firms["yilmaz"], self._id()
        session.add(
            Offer(
                firm_id=self.keller.id, id=offer_id, created_at=self._moment(), side="theirs", request_id=request_id,
                partner_id=partner.id, answer="part", state="expired", valid_until=self._moment(), note=self._words(4),
            )
        )  # fmt: skip
        session.flush()
        session.add(
            OfferLine(
                firm_id=self.keller.id, id=self._id(), created_at=self._moment(), offer_id=offer_id,
                machine_id=partner.machine_id, machine_name=f"F{number}", week="2026-W11", offered_min=600,
                rate_cents_per_hour=self.random.randrange(5000, 15000),
            )
        )  # fmt: skip

    def _messages(self, session: Session) -> None:
        partner = self.deal.firms["nowak"]
        for number in range(self.size.messages):
            session.add(
                Message(
                    firm_id=self.keller.id, id=self._id(), created_at=self._moment(), direction="in", peer_id=partner.id,
                    kind="request.answered", seq=10_000 + number, body={"text": self._words(20), "no": number}, state="done",
                )
            )  # fmt: skip
