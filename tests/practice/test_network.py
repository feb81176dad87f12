"""The demonstrator network as it stands when a game begins."""

import datetime as dt
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.agreements.models import Agreement
from app.bookings.models import Booking
from app.capacity.models import CapacityWindow
from app.core.outbox import OutboxRow
from app.core.units import BERLIN, distance_km, weeks_from
from app.firms.access import Role
from app.firms.models import Firm, Membership, Person, Site
from app.firms.rules import check_vat_id
from app.insights.benefit import orders_won, shares
from app.insights.facts import conduct_of
from app.insights.rules import Share, period_of
from app.invoices.models import Invoice
from app.machines.models import Capability, Certificate, Machine, RateCard
from app.notary.models import LedgerEntry
from app.partners.models import Partnership
from app.partners.queries import active_partners
from app.practice.data_files import rows
from app.practice.people import acting, firm_by_short_name
from app.practice.scenes import own_shortage
from app.push.models import Alert
from tests.practice.visitors import Site as Worlds

WEEKS = weeks_from("2026-W47", 12)


@pytest.fixture
def session(site: Worlds) -> Iterator[Session]:
    player = site.player()
    with site.database(player).read() as reading:
        yield reading


def _count(session: Session, table: type, *where: sa.ColumnElement[bool]) -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(table).where(*where)) or 0


def test_there_are_enough_firms_towns_machines_and_people(session: Session) -> None:
    firms = session.scalars(sa.select(Firm)).all()
    assert len(firms) >= 16
    assert len({firm.town for firm in firms}) >= 14
    assert _count(session, Machine) >= 90
    assert _count(session, Person) >= 40
    assert all(firm.is_demo and firm.name.endswith("(Demo)") for firm in firms)


def test_every_firm_has_a_worker_a_foreman_and_a_manager(session: Session) -> None:
    for firm in session.scalars(sa.select(Firm)):
        held = set(session.scalars(sa.select(Membership.role).where(Membership.firm_id == firm.id)))
        assert {"worker", "foreman", "manager"} <= held, firm.name


def test_no_number_of_a_demo_firm_could_be_that_of_a_real_one(session: Session) -> None:
    for firm in session.scalars(sa.select(Firm)):
        assert firm.register_no.startswith("UNGÜLTIG")
        with pytest.raises(Exception, match="USt"):
            check_vat_id(firm.vat_id)
    assert all("UNGUELTIG" in row["iban"] for row in rows("firms"))


def test_every_machine_tells_its_parameters_abilities_rate_and_twelve_weeks(session: Session) -> None:
    for machine in session.scalars(sa.select(Machine)):
        own = (machine.firm_id, machine.id)
        assert machine.parameters, machine.number
        assert _count(session, Capability, sa.tuple_(Capability.firm_id, Capability.machine_id).in_([own]))
        assert _count(session, RateCard, sa.tuple_(RateCard.firm_id, RateCard.machine_id).in_([own]))
        told = session.scalars(
            sa.select(CapacityWindow.week)
            .where(CapacityWindow.firm_id == machine.firm_id, CapacityWindow.machine_id == machine.id)
            .where(CapacityWindow.week.in_(WEEKS), CapacityWindow.confirmed_at.is_not(None))
        ).all()
        assert sorted(told) == WEEKS, machine.number


def test_certificates_are_verified_expiring_expired_and_unverified(session: Session) -> None:
    story = dt.date(2026, 11, 16)
    found = session.scalars(sa.select(Certificate)).all()
    assert any(one.verified_at and one.valid_to > story + dt.timedelta(days=60) for one in found)
    assert any(one.verified_at and story < one.valid_to <= story + dt.timedelta(days=60) for one in found)
    assert any(one.valid_to < story for one in found)
    assert any(one.verified_at is None for one in found)


def test_keller_lacks_320_of_500_hours_between_week_49_and_week_4(session: Session) -> None:
    lacking = own_shortage(session, firm_by_short_name(session, "Keller").id)
    assert lacking.missing_min == 320 * 60
    assert sum(line.free_min for line in lacking.by_week) == 180 * 60
    assert (lacking.weeks[0], lacking.weeks[-1]) == ("2026-W49", "2027-W04")
    assert "2026-W53" in lacking.weeks


def test_keller_has_seven_partners_and_gera_lies_beyond_eighty_kilometres(session: Session) -> None:
    keller = firm_by_short_name(session, "Keller")
    partners = {one.short_name: one for one in active_partners(session, keller.id, "requests")}
    assert set(partners) == {"Yilmaz", "Brandt", "Nowak", "Lindner", "Vogt", "Kaminski", "Elsner"}
    home = session.scalars(sa.select(Site).where(Site.firm_id == keller.id)).one()
    far = {name: distance_km((home.lat, home.lon), (one.lat or 0, one.lon or 0)) for name, one in partners.items()}
    assert far["Elsner"] > 80
    assert all(km < 80 for name, km in far.items() if name != "Elsner")


def test_partners_of_keller_do_not_learn_of_each_other_through_it(session: Session) -> None:
    vogt = firm_by_short_name(session, "Vogt")
    assert {one.short_name for one in active_partners(session, vogt.id, "requests")} == {"Keller", "Aydin"}


def test_every_partnership_stands_in_both_ledgers(session: Session) -> None:
    active = _count(session, Partnership, Partnership.state == "active")
    assert active == 2 * len(list(rows("partnerships")))
    assert _count(session, LedgerEntry, LedgerEntry.type == "link.partner") == active


def test_finished_orders_are_signed_recorded_and_booked_on_both_sides(session: Session) -> None:
    orders = len(list(rows("history")))
    assert _count(session, Agreement, Agreement.state == "in_force") == 2 * orders
    assert _count(session, LedgerEntry, LedgerEntry.type == "agreement") == 2 * orders
    for side in ("ours", "theirs"):
        booked = session.scalar(sa.select(sa.func.sum(Booking.agreed_min)).where(Booking.side == side))
        assert booked == sum(int(row["stunden"]) * 60 for row in rows("history"))


def test_some_orders_are_worked_invoiced_and_paid_so_that_no_page_is_empty(session: Session) -> None:
    states = dict(
        session.execute(
            sa.select(Invoice.state, sa.func.count()).where(Invoice.side == "ours").group_by(Invoice.state)
        ).all()
    )
    assert states == {"draft": 1, "issued": 1, "paid": 3}
    keller = acting(session, firm_by_short_name(session, "Keller").id, Role.MANAGER)
    this_year = period_of("jahr", dt.date(2026, 11, 16))
    assert len(orders_won(session, keller, this_year)) == 4
    assert [one.is_too_much for one in shares(session, keller, "ours", this_year)] == [True, False]
    yilmaz = firm_by_short_name(session, "Yilmaz").id
    now = dt.datetime(2026, 11, 16, 7, 0, tzinfo=BERLIN)
    assert conduct_of(session, keller.firm_id, yilmaz, now, by_us=False).hours == Share(60 * 60, 60 * 60)


def test_nothing_has_failed_and_nothing_waits_but_a_certificate_that_ends_soon(session: Session) -> None:
    assert _count(session, OutboxRow, OutboxRow.settled_at.is_(None)) == 0
    assert _count(session, OutboxRow, OutboxRow.error != "") == 0
    assert list(session.scalars(sa.select(Alert.kind).where(Alert.seen_at.is_(None)))) == ["certificate"]


def test_all_free_hours_fit_into_their_weeks(session: Session) -> None:
    bound = CapacityWindow.held_min + CapacityWindow.agreed_min
    wrong = _count(
        session,
        CapacityWindow,
        sa.or_(CapacityWindow.actual_min > CapacityWindow.maximum_min, bound > CapacityWindow.actual_min),
    )
    assert wrong == 0


def test_the_template_is_built_once_and_only_copied_afterwards(site: Worlds) -> None:
    before = site.practice.template.path().stat()
    site.player()
    after = site.practice.template.path().stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_every_time_of_the_network_lies_before_the_story(session: Session) -> None:
    begins = dt.datetime(2026, 11, 16, 7, 0, tzinfo=BERLIN)
    for table in (Firm, Machine, Agreement, Booking, Partnership, LedgerEntry):
        column = table.at if table is LedgerEntry else table.created_at
        assert session.scalar(sa.select(sa.func.max(column))) < begins
