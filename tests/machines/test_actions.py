"""Entering machines, rates, photos and certificates, on both databases."""

import datetime as dt

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.core.errors import NotAllowed, NotFound, RuleBroken
from app.federation.models import StoredFile
from app.firms.access import Role
from app.firms.models import AuditEvent, Site
from app.machines.actions import (
    CertificateDraft,
    MachineExtras,
    attach_certificate_file,
    free_numbers,
    reject_certificate,
    remove_ability,
    save_ability,
    save_certificate,
    save_machine,
    set_machine_state,
    set_photo,
    set_rate,
    verify_certificate,
)
from app.machines.models import Machine, RateCard
from app.machines.queries import (
    abilities_of,
    certificate_facts,
    certificate_for,
    machine_cards,
    machine_count,
    machine_for,
    machines_for_matching,
    rate_on,
    rates_on,
)
from app.machines.quick import add_quick_machines, usual_machines
from app.machines.rules import CapabilityFacts, MachineDraft, RateDraft, check_rate
from tests.world import TestFirm, make_world

JPEG = b"\xff\xd8\xff\xe0" + b"0" * 40
LATHE = MachineDraft("D1", "cnc_lathe", "Drehzentrum", 2020, 240, 60, 0)


@pytest.fixture
def world(database: Database) -> dict[str, TestFirm]:
    with database.write() as session:
        return make_world(session, ("keller", "yilmaz", "brandt"))


@pytest.fixture
def yilmaz(world: dict[str, TestFirm]) -> TestFirm:
    return world["yilmaz"]


def certificate(number: str = "4711", until: dt.date = dt.date(2028, 3, 31)) -> CertificateDraft:
    return CertificateDraft("iso_9001", number, dt.date(2025, 4, 1), until, "TÜV")


def test_a_new_machine_can_do_what_its_type_does(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        machine_id = save_machine(
            session, yilmaz.actor(Role.FOREMAN), LATHE, MachineExtras(yilmaz.site_id, {"swing_diameter_mm": 400})
        )
    with database.read() as session:
        machine = machine_for(session, yilmaz.id, machine_id)
        assert (machine.name, machine.state, machine.parameters) == ("Drehzentrum", "ready", {"swing_diameter_mm": 400})
        assert [one.process_key for one in abilities_of(session, yilmaz.id, machine_id)] == ["turning"]
        verbs = session.scalars(sa.select(AuditEvent.verb).where(AuditEvent.firm_id == yilmaz.id)).all()
        assert list(verbs) == ["machine_added"]


def test_two_machines_never_share_a_number_but_two_firms_may(database: Database, world: dict[str, TestFirm]) -> None:
    yilmaz, brandt = world["yilmaz"], world["brandt"]
    taken = MachineDraft("M1", "cnc_lathe", "Noch eine")
    with pytest.raises(RuleBroken, match="Die Nummer M1 hat schon eine andere Maschine"), database.write() as session:
        save_machine(session, yilmaz.actor(), taken, MachineExtras(yilmaz.site_id, {}))
    with database.write() as session:
        save_machine(session, brandt.actor(), LATHE, MachineExtras(brandt.site_id, {}))
        save_machine(session, yilmaz.actor(), LATHE, MachineExtras(yilmaz.site_id, {}))


def test_a_machine_stands_at_a_site_of_its_own_firm(database: Database, world: dict[str, TestFirm]) -> None:
    with pytest.raises(RuleBroken, match="Wähle den Standort"), database.write() as session:
        save_machine(session, world["yilmaz"].actor(), LATHE, MachineExtras(world["brandt"].site_id, {}))


def test_nobody_reaches_another_firms_machine(database: Database, world: dict[str, TestFirm]) -> None:
    actor, other = world["yilmaz"].actor(), world["brandt"].machine_id
    deeds = (
        lambda s: save_machine(s, actor, LATHE, MachineExtras(world["yilmaz"].site_id, {}), other),
        lambda s: set_machine_state(s, actor, other, "down"),
        lambda s: set_rate(s, actor, other, RateDraft(9000)),
        lambda s: save_ability(s, actor, other, CapabilityFacts("turning")),
        lambda s: remove_ability(s, actor, other, "milling_5x"),
        lambda s: set_photo(s, actor, other, "a.jpg", JPEG),
    )
    for deed in deeds:
        with pytest.raises(NotFound), database.write() as session:
            deed(session)  # type: ignore[no-untyped-call]


def test_a_machine_that_stands_is_not_matched_and_comes_back(database: Database, yilmaz: TestFirm) -> None:
    foreman = yilmaz.actor(Role.FOREMAN)
    with database.write() as session:
        assert set_machine_state(session, foreman, yilmaz.machine_id, "down") == "ready"
        assert machines_for_matching(session, yilmaz.id, "milling_5x") == []
        assert set_machine_state(session, foreman, yilmaz.machine_id, "ready") == "down"
        assert [one.id for one in machines_for_matching(session, yilmaz.id, "milling_5x")] == [yilmaz.machine_id]
        with pytest.raises(RuleBroken):
            set_machine_state(session, foreman, yilmaz.machine_id, "gone")


def test_retired_machines_leave_the_count_and_stand_last(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        save_machine(session, yilmaz.actor(), LATHE, MachineExtras(yilmaz.site_id, {}))
        set_machine_state(session, yilmaz.actor(), yilmaz.machine_id, "retired")
    with database.read() as session:
        assert machine_count(session, yilmaz.id) == 1
        assert [card.number for card in machine_cards(session, yilmaz.id)] == ["D1", "M1"]


def test_a_foreman_sets_no_rate(database: Database, yilmaz: TestFirm) -> None:
    with pytest.raises(NotAllowed), database.write() as session:
        set_rate(session, yilmaz.actor(Role.FOREMAN), yilmaz.machine_id, RateDraft(9000))


def test_a_rate_counts_from_its_day_on_and_is_never_in_the_protokoll(database: Database, yilmaz: TestFirm) -> None:
    today = clock.today()
    with database.write() as session:
        set_rate(session, yilmaz.actor(), yilmaz.machine_id, RateDraft(10_100))
        set_rate(session, yilmaz.actor(), yilmaz.machine_id, RateDraft(10_200))
        set_rate(
            session, yilmaz.actor(), yilmaz.machine_id, RateDraft(12_345), valid_from=today + dt.timedelta(days=30)
        )
    with database.read() as session:
        card = rate_on(session, yilmaz.id, yilmaz.machine_id, today)
        assert card is not None
        assert card.rate_cents_per_hour == 10_200
        assert rates_on(session, yilmaz.id, [yilmaz.machine_id], dt.date(2026, 11, 1)) == {
            yilmaz.machine_id: RateDraft(9500)
        }
        assert rates_on(session, yilmaz.id, [yilmaz.machine_id], dt.date(2025, 1, 1)) == {}
        assert session.scalar(sa.select(sa.func.count()).where(RateCard.firm_id == yilmaz.id)) == 3
        details = str(session.scalars(sa.select(AuditEvent.detail).where(AuditEvent.firm_id == yilmaz.id)).all())
        assert "10" not in details
        assert "123" not in details


def test_an_absurd_rate_is_refused(database: Database, yilmaz: TestFirm) -> None:
    with pytest.raises(RuleBroken, match="zwischen 1 und 2"), database.write() as session:
        set_rate(session, yilmaz.actor(), yilmaz.machine_id, RateDraft(99))


@pytest.mark.parametrize(
    ("slip", "field"),
    [
        (RateDraft(9500, set_up_rate_cents_per_hour=200_001), "set_up_rate"),
        (RateDraft(9500, programming_rate_cents_per_hour=-1), "programming_rate"),
        (RateDraft(9500, night_surcharge_permille=2010), "night_surcharge"),
        (RateDraft(9500, sunday_surcharge_permille=-10), "sunday_surcharge"),
        (RateDraft(9500, min_order_min=10_095), "min_order"),
        (RateDraft(9500, min_order_min=100), "min_order"),
    ],
)
def test_a_slip_on_the_rate_card_names_its_field(slip: RateDraft, field: str) -> None:
    with pytest.raises(RuleBroken) as refused:
        check_rate(slip)
    assert refused.value.field == field


def test_a_later_rate_card_says_everything_anew(database: Database, yilmaz: TestFirm) -> None:
    whole = RateDraft(9800, 0, 8000, 250, 500, 480)
    with database.write() as session:
        set_rate(session, yilmaz.actor(), yilmaz.machine_id, whole)
    with database.read() as session:
        assert rates_on(session, yilmaz.id, [yilmaz.machine_id], clock.today()) == {yilmaz.machine_id: whole}
    with database.write() as session:
        set_rate(session, yilmaz.actor(), yilmaz.machine_id, RateDraft(9800))
    with database.read() as session:
        assert rates_on(session, yilmaz.id, [yilmaz.machine_id], clock.today()) == {yilmaz.machine_id: RateDraft(9800)}


def test_a_photo_waits_until_it_is_cleaned(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        file_id = set_photo(session, yilmaz.actor(), yilmaz.machine_id, "maschine.jpg", JPEG)
    with database.read() as session:
        file = session.get_one(StoredFile, (yilmaz.id, file_id))
        assert (file.media_type, file.is_clean) == ("image/jpeg", False)


@pytest.mark.parametrize("body", [b"", b"%PDF-1.7", b"<svg onload=alert(1)>", b"GIF89a"])
def test_only_jpg_and_png_are_photos(database: Database, yilmaz: TestFirm, body: bytes) -> None:
    with pytest.raises(RuleBroken, match="Das ist kein Foto"), database.write() as session:
        set_photo(session, yilmaz.actor(), yilmaz.machine_id, "foto.jpg", body)


def test_a_certificate_counts_only_after_a_manager_has_seen_the_paper(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        one = save_certificate(session, yilmaz.actor(Role.FOREMAN), certificate())
        assert [facts.verified for facts in certificate_facts(session, yilmaz.id)] == [False]
        verify_certificate(session, yilmaz.actor(), one)
        assert [facts.verified for facts in certificate_facts(session, yilmaz.id)] == [True]
        save_certificate(session, yilmaz.actor(Role.FOREMAN), certificate("4712"), one)
        assert [facts.verified for facts in certificate_facts(session, yilmaz.id)] == [False]


def test_a_rejected_certificate_counts_only_after_it_was_changed_and_verified(
    database: Database, yilmaz: TestFirm
) -> None:
    with database.write() as session:
        one = save_certificate(session, yilmaz.actor(Role.FOREMAN), certificate())
        reject_certificate(session, yilmaz.actor(), one)
        assert [facts.verified for facts in certificate_facts(session, yilmaz.id)] == [False]
        assert certificate_for(session, yilmaz.id, one).rejected_by == yilmaz.people[Role.MANAGER]
        save_certificate(session, yilmaz.actor(Role.FOREMAN), certificate("4712"), one)
        assert certificate_for(session, yilmaz.id, one).rejected_at is None
        verify_certificate(session, yilmaz.actor(), one)
        with pytest.raises(RuleBroken, match="schon geprüft"):
            reject_certificate(session, yilmaz.actor(), one)


def test_an_expired_or_doubled_certificate_is_refused(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        old = save_certificate(session, yilmaz.actor(), certificate("alt", dt.date(2026, 11, 15)))
        with pytest.raises(RuleBroken, match="abgelaufen"):
            verify_certificate(session, yilmaz.actor(), old)
        with pytest.raises(RuleBroken, match="schon eingetragen"):
            save_certificate(session, yilmaz.actor(), certificate("alt"))
        with pytest.raises(RuleBroken, match="endet, bevor es beginnt"):
            save_certificate(session, yilmaz.actor(), certificate("neu", dt.date(2020, 1, 1)))


def test_the_paper_of_a_certificate_is_a_pdf_or_a_photo(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        one = save_certificate(session, yilmaz.actor(), certificate())
        attach_certificate_file(session, yilmaz.actor(), one, "iso.pdf", b"%PDF-1.7 x")
        with pytest.raises(RuleBroken, match="Diese Datei geht nicht"):
            attach_certificate_file(session, yilmaz.actor(), one, "iso.exe", b"MZ")


def test_three_taps_make_three_machines_that_can_be_matched(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        added = add_quick_machines(session, yilmaz.actor(), ["mill_5axis", "cnc_lathe", "welding_station"])
    with database.read() as session:
        found = [machine for machine in machines_for_matching(session, yilmaz.id) if machine.id in added]
        assert [machine.number for machine in found] == ["M2", "M3", "M4"]
        assert all(machine.needs_check and machine.values and machine.abilities for machine in found)
        assert found[0].abilities[0].process_key == "milling_5x"
        assert found[2].values["material_groups"] == frozenset({"P", "M"})


@pytest.mark.parametrize("chosen", [[], ["spaceship"], ["mill_5axis"] * 21])
def test_a_quick_start_without_sense_adds_nothing(database: Database, yilmaz: TestFirm, chosen: list[str]) -> None:
    with pytest.raises(RuleBroken), database.write() as session:
        add_quick_machines(session, yilmaz.actor(), chosen)


def test_a_quick_start_needs_a_site(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        for table in ("capability", "rate_card", "capacity_window", "machine", "site"):
            session.execute(sa.text(f"DELETE FROM {table} WHERE firm_id = :firm"), {"firm": yilmaz.id})
        assert session.scalar(sa.select(Site.id).where(Site.firm_id == yilmaz.id)) is None
        with pytest.raises(RuleBroken, match="Trage zuerst den Standort"):
            add_quick_machines(session, yilmaz.actor(), ["mill_5axis"])


def test_looking_at_the_usual_values_once_ends_the_reminder(database: Database, yilmaz: TestFirm) -> None:
    with database.write() as session:
        (added,) = add_quick_machines(session, yilmaz.actor(), ["cnc_lathe"])
        save_machine(session, yilmaz.actor(), LATHE, MachineExtras(yilmaz.site_id, {}), added)
        assert session.get_one(Machine, (yilmaz.id, added)).needs_check is False


def test_every_usual_machine_is_complete_in_the_pack() -> None:
    assert len(usual_machines()) >= 12
    assert all(usual.values and usual.processes for usual in usual_machines().values())


def test_free_numbers_skip_what_is_taken() -> None:
    assert free_numbers(["M1", "M3", "X"], 3) == ["M2", "M4", "M5"]
