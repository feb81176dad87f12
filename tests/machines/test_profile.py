"""Partners learn what we can do as soon as it changes, once per change, and nothing of what is ours alone."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.core.db import Database
from app.core.events import AbilitiesChanged
from app.core.outbox import OutboxRow
from app.federation.models import Message
from app.machines.actions import (
    MachineExtras,
    remove_ability,
    save_ability,
    save_certificate,
    save_machine,
    set_machine_state,
    set_rate,
    verify_certificate,
)
from app.machines.imports import apply_machines, check_machines
from app.machines.quick import add_quick_machines
from app.machines.rules import CapabilityFacts, RateDraft
from app.machines.tables import read_table
from app.partners.models import Partnership
from app.worker import run_until_quiet
from tests.machines.test_actions import LATHE, certificate
from tests.machines.test_imports import GOOD
from tests.world import TestFirm, make_world

Deed = Callable[[Session, TestFirm], object]


@pytest.fixture
def world(database: Database) -> dict[str, TestFirm]:
    with database.write() as session:
        return make_world(session, ("keller", "yilmaz", "brandt"))


def take_over(session: Session, firm: TestFirm, text: str) -> None:
    apply_machines(session, firm.id, check_machines(session, firm.id, read_table(text.encode(), "m.csv")))


NEWS: dict[str, Deed] = {
    "a new ability": lambda s, f: save_ability(s, f.actor(), f.machine_id, CapabilityFacts("turning")),
    "an ability that is gone": lambda s, f: remove_ability(s, f.actor(), f.machine_id, "milling_5x"),
    "a new machine": lambda s, f: save_machine(s, f.actor(), LATHE, MachineExtras(f.site_id, {})),
    "three quick machines": lambda s, f: add_quick_machines(s, f.actor(), ["mill_5axis", "cnc_lathe", "cnc_lathe"]),
    "a table": lambda s, f: take_over(s, f, GOOD),
    "a machine out of service": lambda s, f: set_machine_state(s, f.actor(), f.machine_id, "retired"),
    "a verified certificate": lambda s, f: verify_certificate(
        s, f.actor(), save_certificate(s, f.actor(), certificate())
    ),
}
NO_NEWS: dict[str, Deed] = {
    "better values": lambda s, f: save_ability(s, f.actor(), f.machine_id, CapabilityFacts("milling_5x", ("P",), 5)),
    "a rate": lambda s, f: set_rate(s, f.actor(), f.machine_id, RateDraft(9900)),
    "a machine that stands": lambda s, f: set_machine_state(s, f.actor(), f.machine_id, "down"),
    "a certificate nobody has looked at": lambda s, f: save_certificate(s, f.actor(), certificate()),
}


@pytest.mark.parametrize("deed", NEWS.values(), ids=NEWS.keys())
def test_what_partners_see_is_told_once_however_much_changed(
    database: Database, world: dict[str, TestFirm], deed: Deed
) -> None:
    with database.write() as session:
        deed(session, world["yilmaz"])
    assert told(database) == [world["yilmaz"].id]


@pytest.mark.parametrize("deed", NO_NEWS.values(), ids=NO_NEWS.keys())
def test_what_stays_in_the_house_is_told_to_nobody(database: Database, world: dict[str, TestFirm], deed: Deed) -> None:
    with database.write() as session:
        deed(session, world["yilmaz"])
    assert told(database) == []


def test_the_same_table_twice_is_no_news(database: Database, world: dict[str, TestFirm]) -> None:
    for _ in range(2):
        with database.write() as session:
            take_over(session, world["yilmaz"], GOOD)
    assert told(database) == [world["yilmaz"].id]


def test_a_verified_certificate_that_changes_counts_no_more(database: Database, world: dict[str, TestFirm]) -> None:
    yilmaz = world["yilmaz"]
    with database.write() as session:
        one = save_certificate(session, yilmaz.actor(), certificate())
        verify_certificate(session, yilmaz.actor(), one)
    with database.write() as session:
        save_certificate(session, yilmaz.actor(), certificate("4712"), one)
    assert told(database) == [yilmaz.id, yilmaz.id]


def test_the_partner_gets_the_new_profile_and_strangers_get_nothing(
    database: Database, world: dict[str, TestFirm]
) -> None:
    with database.write() as session:
        save_ability(session, world["yilmaz"].actor(), world["yilmaz"].machine_id, CapabilityFacts("turning"))
    run_until_quiet(database)
    with database.read() as session:
        seen = session.scalars(
            sa.select(Partnership).where(
                Partnership.firm_id == world["keller"].id, Partnership.partner_id == world["yilmaz"].id
            )
        ).one()
        assert [one["key"] for one in seen.profile["processes"]] == ["milling_5x", "turning"]
        receivers = session.scalars(sa.select(Message.peer_id).where(Message.firm_id == world["yilmaz"].id)).all()
        assert set(receivers) == {world["keller"].id}


def told(database: Database) -> list[str]:
    """The firms that have news of their abilities waiting, one entry per event."""
    with database.read() as session:
        kind = OutboxRow.kind == AbilitiesChanged.__name__
        return list(session.scalars(sa.select(OutboxRow.firm_id).where(kind).order_by(OutboxRow.id)))
