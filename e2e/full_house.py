"""A data folder in which every page has something to show: the scene of the access matrix and the states it lacks."""

import datetime as dt
import fcntl
import pickle
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

import tests.tables  # noqa: F401
from app.agreements.actions import decline_agreement, draft_agreements
from app.agreements.forgetting import prepare_erasure
from app.bookings.models import Booking
from app.capacity.actions import offer_hours
from app.cli import migrate_database
from app.config import load_config
from app.core import clock
from app.core.db import Database
from app.core.holidays import holidays_near
from app.core.ids import new_id
from app.core.units import weeks
from app.firms.access import Role
from app.firms.models import Person
from app.hours.actions import EntryDraft, check_reports, report_hours
from app.notary.rotation import plan_key
from app.offers.actions import answer_no, answer_yes
from app.partners.actions import invite_partner, propose_partnership
from app.partners.queries import invitation_token
from app.partners.signing import prepare_end
from app.plans.actions import choose_plan, solve_plans
from app.plans.models import Plan
from app.requests.actions import Details, publish_request, save_details, start_draft, withdraw_request
from app.requests.models import WorkRequest
from app.requests.rules import RequestKind, ShortageReason, default_reply_by
from app.trouble.actions import DisruptionDraft, ask_for_help, report_disruption
from app.trouble.models import Disruption, DisruptionLine
from app.worker import run_until_quiet
from tests.agreements.world import NODE_KEY, Deal, sign
from tests.long.race_world import MONDAY
from tests.requests.story import KNOW_HOW, NEED
from tests.safety.scene import FirmIds, _confirm, make_scene
from tests.world import FIRST_WEEK


@dataclass
class House:
    """Keller asks, Yilmaz and Brandt answer: cookies by "firm role", ids of every kind by firm."""

    folder: Path
    houses: dict[str, FirmIds]

    def cookie(self, who: str) -> str:
        firm, role = who.split()
        return self.houses[firm].cookies[role]

    def ids(self, who: str) -> dict[str, str]:
        firm, _role = who.split()
        return self.houses[firm].ids

    def speak(self, language: str) -> None:
        """From now on everybody reads this language."""
        with _open(self.folder) as database, database.write() as session:
            session.execute(sa.update(Person).values(language=language))


def furnish(folder: Path) -> House:
    """Fill the folder through the product's own actions; the node that opens it reads its keys there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "node.key").write_text(NODE_KEY.hex())
    migrate_database(load_config({"DATA_DIR": str(folder)}).database_url)
    with _open(folder) as database, clock.frozen(MONDAY):
        scene = make_scene(database)
        _Office(database, scene.houses, scene.deals["keller"]).work()
    return House(folder, scene.houses)


def move_in(folder: Path, shared: Path) -> House:
    """A house of one's own: a copy of the one in the shared folder, which whoever comes first furnishes."""
    shared.mkdir(exist_ok=True)
    kept = shared / "houses"
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_bytes(pickle.dumps(furnish(shared / "data").houses))
    shutil.copytree(shared / "data", folder)
    return House(folder, pickle.loads(kept.read_bytes()))


@contextmanager
def _open(folder: Path) -> Iterator[Database]:
    database = Database(load_config({"DATA_DIR": str(folder)}).database_url)
    yield database
    database.close()


class _Office:
    """Keller's manager and the people who answer, up to each state that a page can show."""

    def __init__(self, database: Database, houses: dict[str, FirmIds], deal: Deal) -> None:
        self.database, self.deal = database, deal
        self.keller, self.yilmaz, self.brandt = houses["keller"], houses["yilmaz"], houses["brandt"]
        self.nowak_id = houses["nowak"].firm.id

    def work(self) -> None:
        self._partners()
        self._free_more_hours()
        with self.database.write() as session:
            plan_key(session, self.keller.firm.id, "cosign", self.keller.actor().person_id, NODE_KEY)
        self._show(self._answered(), "planless")
        self._show(self._ask(RequestKind.KNOW_HOW), "know_how")
        self._show(self._withdrawn(), "withdrawn")
        self._show(self._planned(), "planned")
        for state in ("unsigned", "half_signed", "declined", "over"):
            self._show(self._drafted(), state)
        for state in ("half_signed", "declined", "over"):
            sign(self.database, self.deal, "keller", self.keller.ids[state])
        with self.database.write() as session:
            decline_agreement(session, self.yilmaz.actor(), self.keller.ids["declined"], "Zu spät")
        sign(self.database, self.deal, "yilmaz", self.yilmaz.ids["over"])
        with clock.frozen(MONDAY + dt.timedelta(weeks=52)), self.database.write() as session:
            prepare_erasure(session, self.keller.actor(), self.keller.ids["over"])
        run_until_quiet(self.database)
        self._slip()
        self._trouble()

    def _slip(self) -> None:
        """Keller's hours are reported and wait at Yilmaz, Yilmaz's wait at home: each page has both kinds."""
        for house in (self.keller, self.yilmaz):
            firm = house.firm
            with self.database.write() as session:
                draft = EntryDraft(clock.today(), 90, "set_up")
                report_hours(session, firm.actor(Role.WORKER), house.ids["work"], draft, f"set-up of {firm.key}")
        with self.database.write() as session:
            check_reports(session, self.keller.actor(), [self.keller.ids["hour_report"]])
        run_until_quiet(self.database)
        self.yilmaz.ids["slip"] = self.keller.ids["hour_report"]

    def _trouble(self) -> None:
        """Somebody is ill at Yilmaz: Brandt offers to help Keller. And a machine has just come to a stop."""
        keller, yilmaz = self.keller, self.yilmaz
        with self.database.write() as session:
            lost = {yilmaz.ids["work"]: 150, yilmaz.ids["booking"]: 600}
            draft = DisruptionDraft("illness", "Schicht fällt aus", minutes=lost)
            report_disruption(session, yilmaz.firm.actor(Role.WORKER), yilmaz.ids["work"], draft)
        run_until_quiet(self.database)
        with self.database.write() as session:
            session.execute(
                sa.update(WorkRequest).where(WorkRequest.id == keller.ids["request"]).values(certificates=[])
            )
            (asked,) = ask_for_help(session, keller.actor(), keller.ids["disruption"])
        run_until_quiet(self.database)
        with self.database.write() as session:
            answer_yes(session, self.brandt.firm.id, self.brandt.firm.people[Role.FOREMAN], asked)
        run_until_quiet(self.database)
        solve_plans(self.database, keller.firm.id, asked)
        with self.database.write() as session:
            booking = session.get_one(Booking, (keller.firm.id, keller.ids["booking"]))
            common = {"firm_id": keller.firm.id, "created_at": clock.now()}
            new = Disruption(
                id=new_id(), side="theirs", partner_id=booking.partner_id, machine_id=booking.machine_id,
                machine_name=booking.machine_name, reason="machine", **common,
            )  # fmt: skip
            session.add(new)
            session.flush()
            booking.lost_min = booking.agreed_min
            session.add(
                DisruptionLine(
                    id=new_id(), disruption_id=new.id, booking_id=booking.id, agreement_id=booking.agreement_id,
                    lost_min=booking.agreed_min, **common,
                )
            )  # fmt: skip
            keller.ids["disruption_new"] = new.id
            done = sa.select(Booking.id).where(Booking.firm_id == keller.firm.id, Booking.side == "theirs")
            done = done.where(Booking.id != booking.id, Booking.state == "confirmed").order_by(Booking.week, Booking.id)
            keller.ids["accepted"] = session.scalars(done).first() or ""
            _confirm(session, keller, keller.ids["accepted"])

    def _partners(self) -> None:
        """Yilmaz and Brandt are about to become partners; Keller is about to part from Nowak; one QR is still open."""
        yilmaz, brandt = self.yilmaz, self.brandt
        with self.database.write() as session:
            token = invitation_token(session, yilmaz.firm.id, invite_partner(session, yilmaz.actor()))
            propose_partnership(session, brandt.actor(), token)
            prepare_end(session, self.keller.actor(), self.nowak_id)
            open_id = brandt.ids["partner_invitation"]
            self.keller.ids["partner_token"] = invitation_token(session, brandt.firm.id, open_id)
        run_until_quiet(self.database)
        yilmaz.ids["new_partner"], brandt.ids["new_partner"] = brandt.firm.id, yilmaz.firm.id
        self.keller.ids |= {"partner": yilmaz.firm.id, "ending_partner": self.nowak_id}
        yilmaz.ids["partner"] = brandt.ids["partner"] = self.keller.firm.id

    def _show(self, found: str, state: str) -> None:
        for house in (self.keller, self.yilmaz, self.brandt):
            house.ids[state] = found

    def _free_more_hours(self) -> None:
        with self.database.write() as session:
            for week in weeks(FIRST_WEEK, "2026-W51"):
                offer_hours(session, self.yilmaz.actor(), self.yilmaz.firm.machine_id, week, 70 * 60)

    def _ask(self, kind: RequestKind = RequestKind.HOURS) -> str:
        need = KNOW_HOW if kind is RequestKind.KNOW_HOW else replace(NEED, need_min=30 * 60)
        details = Details(
            shortage_reason=ShortageReason.KNOW_HOW if kind is RequestKind.KNOW_HOW else ShortageReason.CAPACITY,
            reply_by=default_reply_by(clock.now(), holidays_near(clock.today())),
            partner_ids=(self.yilmaz.firm.id, self.brandt.firm.id),
            title="Halter nach Muster",
            contact_name="Petra Keller",
            contact_phone="03677 123",
        )
        with self.database.write() as session:
            request_id = start_draft(session, self.keller.actor(), kind, need)
            save_details(session, self.keller.actor(), request_id, need, details)
            publish_request(session, self.keller.actor(), request_id)
        run_until_quiet(self.database)
        return request_id

    def _answered(self) -> str:
        """Yilmaz says yes, Brandt says no; the plans are not counted yet."""
        request_id = self._ask()
        with self.database.write() as session:
            answer_yes(session, self.yilmaz.firm.id, self.yilmaz.firm.people[Role.FOREMAN], request_id)
            answer_no(session, self.brandt.firm.id, self.brandt.firm.people[Role.FOREMAN], request_id)
        run_until_quiet(self.database)
        return request_id

    def _withdrawn(self) -> str:
        request_id = self._ask()
        with self.database.write() as session:
            withdraw_request(session, self.keller.actor(), request_id)
        run_until_quiet(self.database)
        return request_id

    def _planned(self) -> str:
        request_id = self._answered()
        solve_plans(self.database, self.keller.firm.id, request_id)
        return request_id

    def _drafted(self) -> str:
        request_id = self._planned()
        with self.database.write() as session:
            query = sa.select(Plan.id).where(Plan.firm_id == self.keller.firm.id, Plan.request_id == request_id)
            plan_id = session.scalars(query).first() or ""
            choose_plan(session, self.keller.actor(), plan_id, True)
        with self.database.write() as session:
            ids = draft_agreements(session, self.keller.actor(), plan_id)
        run_until_quiet(self.database)
        return ids[0]
