"""Who may sign: authority, limits, two of equal rank, deputies; and what happens when two sign at the same moment."""

import datetime as dt
import threading

import pytest
import sqlalchemy as sa

from app.agreements.actions import approve_agreement, signable_digest
from app.agreements.models import Agreement
from app.bookings.models import Booking
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, NotFound, RuleBroken, WerkringError
from app.firms.access import Role
from app.firms.models import Firm, Person
from app.partners.models import Partnership
from tests.agreements.world import (
    Deal,
    approval,
    at,
    drafted,
    make_deal,
    second_manager,
    sign,
    sign_only,
    states,
)
from tests.conftest import MONDAY


def test_nobody_signs_before_the_recovery_key_is_printed(sqlite_database: Database) -> None:
    deal, agreement_id = frozen(sqlite_database)
    change(sqlite_database, deal, recovery_printed_at=None)
    with pytest.raises(RuleBroken, match="Notfallschlüssel"):
        sign_only(sqlite_database, deal, "keller", agreement_id)


def test_a_sum_above_the_own_limit_is_refused_and_a_deputy_uses_the_limit_of_the_absent(
    sqlite_database: Database,
) -> None:
    deal, agreement_id = frozen(sqlite_database)
    petra = second_manager(sqlite_database, deal, "keller", limit_cents=100_00)
    with pytest.raises(RuleBroken, match="Grenze"):
        sign_only(sqlite_database, deal, "keller", agreement_id, petra)
    with sqlite_database.write() as session:
        absent = session.get_one(Person, (deal.firms["keller"].id, deal.firms["keller"].people[Role.MANAGER]))
        absent.is_absent, absent.deputy_id, absent.spending_limit_cents = True, petra.person_id, 50_000_00
    sign(sqlite_database, deal, "keller", agreement_id, petra)
    assert states(sqlite_database, deal, agreement_id) == ("signed_one", "signed_one")


def test_above_the_firms_own_sum_two_managers_sign_in_any_order(database: Database) -> None:
    deal, agreement_id = frozen(database)
    change(database, deal, two_person_above_cents=1_000_00)
    petra = second_manager(database, deal, "keller")
    sign(database, deal, "keller", agreement_id, petra)
    assert at(database, deal, "keller", agreement_id).state == "frozen"
    with pytest.raises(RuleBroken, match="andere Leitung"):
        sign_only(database, deal, "keller", agreement_id, petra)
    sign(database, deal, "keller", agreement_id)
    sign(database, deal, "yilmaz", agreement_id)
    assert states(database, deal, agreement_id) == ("in_force", "in_force")
    roles = [one["role"] for one in at(database, deal, "yilmaz", agreement_id).signatures]
    assert sorted(roles) == ["firm", "firm", "manager", "manager", "second"]


def test_the_provider_has_a_two_person_rule_of_its_own(database: Database) -> None:
    deal, agreement_id = frozen(database)
    change(database, deal, key="yilmaz", two_person_above_cents=1_000_00)
    second = second_manager(database, deal, "yilmaz")
    sign(database, deal, "keller", agreement_id)
    sign(database, deal, "yilmaz", agreement_id)
    assert states(database, deal, agreement_id) == ("signed_one", "signed_one")
    sign(database, deal, "yilmaz", agreement_id, second)
    assert states(database, deal, agreement_id) == ("in_force", "in_force")


def test_a_text_that_changed_in_between_is_not_signed(sqlite_database: Database) -> None:
    deal, agreement_id = frozen(sqlite_database)
    with sqlite_database.read() as session:
        digest, role = signable_digest(session, deal.actor("keller"), agreement_id)
        signature = approval(session, deal, "keller", digest, role)
    with sqlite_database.write() as session:
        agreement = session.get_one(Agreement, (deal.firms["keller"].id, agreement_id))
        agreement.text = agreement.text.replace("10 Stunden", "11 Stunden", 1)
    with pytest.raises(RuleBroken, match="Der Text hat sich geändert"), sqlite_database.write() as session:
        approve_agreement(session, deal.actor("keller"), agreement_id, signature)


def test_a_signature_over_another_text_is_refused(sqlite_database: Database) -> None:
    deal, agreement_id = frozen(sqlite_database)
    with sqlite_database.read() as session:
        signature = approval(session, deal, "keller", bytes(32))
    with pytest.raises(RuleBroken, match="Der Text hat sich geändert"), sqlite_database.write() as session:
        approve_agreement(session, deal.actor("keller"), agreement_id, signature)


def test_a_paused_partnership_begins_nothing_new(sqlite_database: Database) -> None:
    deal, agreement_id = frozen(sqlite_database)
    with sqlite_database.write() as session:
        session.execute(sa.update(Partnership).values(state="paused"))
    with pytest.raises(RuleBroken, match="Partnerschaft"):
        sign_only(sqlite_database, deal, "keller", agreement_id)


def test_another_firm_finds_nothing(sqlite_database: Database) -> None:
    deal, agreement_id = frozen(sqlite_database)
    for key in ("yilmaz", "nowak"):
        with pytest.raises(NotFound), sqlite_database.read() as session:
            signable_digest(session, deal.actor(key), agreement_id)


def test_signing_after_the_deadline_is_refused(sqlite_database: Database) -> None:
    deal, agreement_id = frozen(sqlite_database)
    with clock.frozen(MONDAY + dt.timedelta(days=4)), pytest.raises(Conflict, match="Frist"):
        sign_only(sqlite_database, deal, "keller", agreement_id)


def test_two_managers_who_sign_at_the_same_moment_seal_once(database: Database) -> None:
    deal, agreement_id = frozen(database)
    second = second_manager(database, deal, "yilmaz")
    sign(database, deal, "keller", agreement_id)
    outcomes: list[str] = []
    barrier = threading.Barrier(2)

    def attempt(actor: object) -> None:
        with clock.frozen(MONDAY):
            with database.read() as session:
                digest, role = signable_digest(session, actor, agreement_id)  # type: ignore[arg-type]
                signature = approval(session, deal, "yilmaz", digest, role, actor)  # type: ignore[arg-type]
            barrier.wait()
            try:
                with database.write() as session:
                    approve_agreement(session, actor, agreement_id, signature)  # type: ignore[arg-type]
                outcomes.append("signed")
            except WerkringError as error:
                outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=attempt, args=(actor,)) for actor in (deal.actor("yilmaz"), second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["Conflict", "signed"]
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Booking)) == 4
    assert len(at(database, deal, "yilmaz", agreement_id).signatures) == 4


def frozen(database: Database) -> tuple[Deal, str]:
    deal = make_deal(database)
    (agreement_id,) = drafted(database, deal)
    return deal, agreement_id


def change(database: Database, deal: Deal, key: str = "keller", **values: object) -> None:
    with database.write() as session:
        session.execute(sa.update(Firm).where(Firm.id == deal.firms[key].id).values(**values))
