"""The directory: who stands in it, what others see of it, and asking one of its firms to become partners."""

import datetime as dt

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.events import AbilitiesChanged
from app.core.ids import new_id
from app.core.outbox import OutboxRow, emit
from app.directory import queries
from app.directory.approaching import (
    accept_approach,
    approach_firm,
    arrived_approaches,
    block_approach,
    decline_approach,
)
from app.directory.listing import set_listed, set_public
from app.directory.models import Approach, DirectoryEntry, DirectoryProcess
from app.directory.queries import Entry, Search, directory_page, listed_processes, own_preview
from app.firms.models import AuditEvent, Firm
from app.machines.models import Certificate
from app.partners.models import BlockedFirm, PartnerInvitation
from app.partners.queries import open_invitations
from app.push.models import Alert
from app.worker import run_until_quiet
from tests.partners.houses import House, approve, become_partners, build_house, state_of, three_houses
from tests.world import add_machine


def list_firms(database: Database, *houses: House) -> None:
    with database.write() as session:
        for house in houses:
            set_listed(session, house.manager, True)
    run_until_quiet(database)


def seen(database: Database, house: House, search: Search | None = None) -> list[Entry]:
    with database.read() as session:
        return list(directory_page(session, house.id, search or Search(), "de").entries)


def names(database: Database, house: House, **search: object) -> list[str]:
    return [one.name for one in seen(database, house, Search(**search))]  # type: ignore[arg-type]


def block(database: Database, house: House, other: House) -> None:
    with database.write() as session:
        address = session.get_one(Firm, other.id).address
        session.add(BlockedFirm(firm_id=house.id, id=new_id(), created_at=clock.now(), address=address, name="x"))


def ask(database: Database, house: House, other: House) -> str:
    with database.write() as session:
        approach_id = approach_firm(session, house.manager, other.id)
    run_until_quiet(database)
    return approach_id


def answer(database: Database, house: House, approach_id: str, *, yes: bool) -> None:
    with database.write() as session:
        (accept_approach if yes else decline_approach)(session, house.manager, approach_id)
    run_until_quiet(database)


def waiting(database: Database, house: House) -> list[str]:
    with database.read() as session:
        return [one.id for one in arrived_approaches(session, house.id)]


def test_nobody_stands_in_the_directory_before_a_manager_says_so(database: Database) -> None:
    keller, yilmaz, _nowak = three_houses(database)
    assert seen(database, keller) == []
    with pytest.raises(NotFound):
        ask(database, keller, yilmaz)


def test_a_listed_firm_shows_name_town_processes_and_valid_certificates(database: Database) -> None:
    keller, yilmaz, _nowak = three_houses(database)
    with database.write() as session:
        for key, is_verified, ends in (("iso_9001", True, 2028), ("en_9100", False, 2028), ("iso_14001", True, 2025)):
            session.add(
                Certificate(
                    firm_id=yilmaz.id, id=new_id(), created_at=clock.now(), type_key=key, number=key, process_keys=[],
                    valid_from=dt.date(2024, 1, 1), valid_to=dt.date(ends, 1, 1),
                    verified_at=clock.now() if is_verified else None,
                )
            )  # fmt: skip
    list_firms(database, yilmaz)
    (entry,) = seen(database, keller)
    assert (entry.name, entry.town, entry.processes) == ("Dreherei Yilmaz", "Suhl", ("5-Achs-Fräsen",))
    assert [until for _name, until in entry.certificates] == [dt.date(2028, 1, 1)]
    with clock.frozen(dt.datetime(2028, 1, 2, tzinfo=dt.UTC)):
        assert seen(database, keller)[0].certificates == ()


def test_the_entry_follows_what_the_machines_can_do_and_its_place_is_coarse(database: Database) -> None:
    keller, yilmaz, _nowak = three_houses(database)
    list_firms(database, yilmaz)
    with database.write() as session:
        add_machine(session, yilmaz.firm, "M2", process="turning")
        emit(session, AbilitiesChanged(yilmaz.id))
    run_until_quiet(database)
    assert seen(database, keller)[0].processes == ("5-Achs-Fräsen", "Drehen")
    with database.read() as session:
        entry = session.get_one(DirectoryEntry, yilmaz.id)
        assert (entry.lat, entry.lon) == (50.61, 10.69)


def test_switching_off_leaves_nothing_behind_and_counts_at_once(database: Database) -> None:
    keller, yilmaz, _nowak = three_houses(database)
    list_firms(database, yilmaz)
    with database.write() as session:
        set_listed(session, yilmaz.manager, False)
    assert seen(database, keller) == []
    with database.read() as session:
        assert session.scalars(sa.select(DirectoryEntry)).all() == []
        assert session.scalars(sa.select(DirectoryProcess)).all() == []
        verbs = sa.select(AuditEvent.verb).where(AuditEvent.firm_id == yilmaz.id, AuditEvent.verb.like("entry_%"))
        assert sorted(session.scalars(verbs)) == ["entry_listed", "entry_unlisted"]


def test_the_same_switch_twice_is_one_deed_and_a_public_page_alone_lists_nobody(database: Database) -> None:
    keller, yilmaz, _nowak = three_houses(database)
    with database.write() as session:
        for _ in range(2):
            set_public(session, yilmaz.manager, True)
        set_listed(session, yilmaz.manager, False)
    assert seen(database, keller) == []
    with database.read() as session:
        assert own_preview(session, yilmaz.id, "de") is not None
        assert own_preview(session, keller.id, "de") is None
        opened = sa.select(sa.func.count()).select_from(OutboxRow).where(OutboxRow.kind == "EntryOpened")
        assert session.scalar(opened) == 1


def test_the_own_firm_and_blocked_ones_on_either_side_are_not_there(database: Database) -> None:
    keller, yilmaz, nowak = three_houses(database)
    list_firms(database, keller, yilmaz, nowak)
    assert names(database, keller) == ["Dreherei Yilmaz", "Nowak Zerspanung"]
    block(database, keller, yilmaz)
    assert names(database, keller) == ["Nowak Zerspanung"]
    assert names(database, yilmaz) == ["Nowak Zerspanung"]
    assert names(database, nowak) == ["Dreherei Yilmaz", "Keller Metallbau"]
    for one, other in ((keller, yilmaz), (yilmaz, keller)):
        with pytest.raises(NotFound):
            ask(database, one, other)
    with database.read() as session:
        assert [key for key, _ in listed_processes(session, keller.id, "de")] == ["milling_5x"]


def test_it_is_narrowed_by_process_town_and_distance(database: Database) -> None:
    keller, yilmaz, nowak = three_houses(database)
    with database.write() as session:
        add_machine(session, nowak.firm, "M2", process="turning")
    list_firms(database, yilmaz, nowak)
    assert names(database, keller, process_key="turning") == ["Nowak Zerspanung"]
    assert names(database, keller, town="suh") == ["Dreherei Yilmaz"]
    assert names(database, keller, town="%") == []
    assert names(database, keller, within_km=25) == ["Dreherei Yilmaz"]
    assert names(database, keller, within_km=100) == ["Dreherei Yilmaz", "Nowak Zerspanung"]
    with database.read() as session:
        assert listed_processes(session, keller.id, "en")[-1] == ("turning", "Turning")


def test_pages_follow_each_other_without_gap_or_repetition(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PAGE_SIZE", 2)
    with database.write() as session:
        houses = [build_house(session, key) for key in ("keller", "yilmaz", "nowak", "brandt", "lindner", "vogt")]
        for house in houses[3:]:
            session.get_one(Firm, house.id).name = "Gleich"
    list_firms(database, *houses)
    found, after = [], ""
    for _ in range(3):
        with database.read() as session:
            page = directory_page(session, houses[0].id, Search(after=after), "de")
        found += [one.firm_id for one in page.entries]
        after = page.next_after
    assert after == ""
    assert sorted(found) == sorted(house.id for house in houses[1:])
    assert len(page.entries) == 1


def test_a_yes_begins_the_usual_way_to_a_partnership(database: Database) -> None:
    keller, yilmaz, nowak = three_houses(database)
    list_firms(database, yilmaz)
    approach_id = ask(database, keller, yilmaz)
    assert waiting(database, yilmaz) == [approach_id]
    assert seen(database, keller)[0].state == "asked"
    with database.read() as session:
        told = session.scalars(sa.select(Alert).where(Alert.kind == "approach")).all()
        assert [(one.firm_id, one.url) for one in told] == [(yilmaz.id, "/partner")]
        row = session.get_one(Approach, (yilmaz.id, approach_id))
        assert (row.name, row.town) == ("Keller Metallbau", "Ilmenau")
    answer(database, yilmaz, approach_id, yes=True)
    assert (state_of(database, keller, yilmaz), state_of(database, yilmaz, keller)) == ("invited", "invited")
    assert waiting(database, yilmaz) == []
    approve(database, yilmaz, keller)
    approve(database, keller, yilmaz)
    assert (state_of(database, keller, yilmaz), state_of(database, yilmaz, keller)) == ("active", "active")
    assert seen(database, keller)[0].state == "partner"
    assert nowak_knows_nothing(database, nowak)


def nowak_knows_nothing(database: Database, nowak: House) -> bool:
    with database.read() as session:
        kept = session.scalars(sa.select(Approach).where(Approach.firm_id == nowak.id)).all()
        noted = sa.select(AuditEvent.verb).where(AuditEvent.firm_id == nowak.id, AuditEvent.verb.like("approach%"))
        return not kept and not session.scalars(noted).all()


def test_a_no_holds_for_ninety_days_and_nobody_else_hears_of_it(database: Database) -> None:
    keller, yilmaz, nowak = three_houses(database)
    list_firms(database, yilmaz)
    answer(database, yilmaz, ask(database, keller, yilmaz), yes=False)
    assert seen(database, keller)[0].state == "declined"
    with pytest.raises(RuleBroken, match="möchte gerade nicht"):
        ask(database, keller, yilmaz)
    with clock.frozen(clock.now() + dt.timedelta(days=89, hours=23)), pytest.raises(RuleBroken):
        ask(database, keller, yilmaz)
    with clock.frozen(clock.now() + dt.timedelta(days=90, minutes=1)):
        assert seen(database, keller)[0].state == ""
        assert waiting(database, yilmaz) == []
        ask(database, keller, yilmaz)
        assert len(waiting(database, yilmaz)) == 1
    assert nowak_knows_nothing(database, nowak)
    assert seen(database, nowak)[0].state == ""


def test_a_firm_that_asks_is_blocked_without_notice(database: Database) -> None:
    keller, yilmaz, _nowak = three_houses(database)
    list_firms(database, yilmaz)
    approach_id = ask(database, keller, yilmaz)
    with database.write() as session:
        block_approach(session, yilmaz.manager, approach_id)
    assert waiting(database, yilmaz) == []
    assert seen(database, keller) == []
    with database.read() as session:
        assert session.get_one(Approach, (keller.id, approach_id)).state == "waiting"
    with pytest.raises(NotFound):
        answer(database, yilmaz, approach_id, yes=True)
    with pytest.raises(NotFound), database.write() as session:
        block_approach(session, keller.manager, approach_id)


def test_the_receiver_remembers_its_no_even_when_the_asking_house_forgot(database: Database) -> None:
    keller, yilmaz, _nowak = three_houses(database)
    list_firms(database, yilmaz)
    answer(database, yilmaz, ask(database, keller, yilmaz), yes=False)
    with database.write() as session:
        session.execute(sa.delete(Approach).where(Approach.firm_id == keller.id))
    ask(database, keller, yilmaz)
    assert waiting(database, yilmaz) == []


def test_one_asks_once_answers_once_and_not_who_asks_already(database: Database) -> None:
    keller, yilmaz, nowak = three_houses(database)
    list_firms(database, keller, yilmaz)
    approach_id = ask(database, keller, yilmaz)
    with pytest.raises(RuleBroken, match="Warte auf die Antwort"):
        ask(database, keller, yilmaz)
    with pytest.raises(RuleBroken, match="Antworte ihm"):
        ask(database, yilmaz, keller)
    assert seen(database, yilmaz)[0].state == "asks_us"
    with pytest.raises(NotFound):
        answer(database, nowak, approach_id, yes=True)
    with pytest.raises(NotFound):
        answer(database, keller, approach_id, yes=True)
    answer(database, yilmaz, approach_id, yes=False)
    with pytest.raises(Conflict):
        answer(database, yilmaz, approach_id, yes=True)


def test_partners_need_no_approach(database: Database) -> None:
    keller, yilmaz, _nowak = three_houses(database)
    list_firms(database, yilmaz)
    become_partners(database, keller, yilmaz)
    with pytest.raises(RuleBroken, match="kennt euch schon"):
        ask(database, keller, yilmaz)


def test_five_approaches_a_day_are_enough(database: Database) -> None:
    with database.write() as session:
        houses = [build_house(session, key) for key in ("keller", "yilmaz", "nowak", "brandt", "lindner", "vogt")]
        now = clock.now()
        session.add(
            Approach(
                firm_id=houses[0].id, id=new_id(), created_at=now, direction="out", peer_id=new_id(), address="x@y",
                name="x", town="y", state="declined", answered_at=now,
            )
        )  # fmt: skip
    list_firms(database, *houses[1:])
    for house in houses[1:5]:
        ask(database, houses[0], house)
    with pytest.raises(RuleBroken, match="viele Anfragen"):
        ask(database, houses[0], houses[5])
    with clock.frozen(clock.now() + dt.timedelta(days=1, minutes=1)):
        ask(database, houses[0], houses[5])


def test_an_approach_that_nobody_answers_lapses_after_thirty_days(database: Database) -> None:
    keller, yilmaz, _nowak = three_houses(database)
    list_firms(database, yilmaz)
    ask(database, keller, yilmaz)
    with clock.frozen(clock.now() + dt.timedelta(days=30, minutes=1)):
        assert waiting(database, yilmaz) == []
        assert seen(database, keller)[0].state == ""


def test_a_firm_that_is_blocked_meanwhile_neither_waits_nor_becomes_a_partner(database: Database) -> None:
    keller, yilmaz, _nowak = three_houses(database)
    list_firms(database, yilmaz)
    with database.write() as session:
        approach_id = approach_firm(session, keller.manager, yilmaz.id)
    block(database, yilmaz, keller)
    run_until_quiet(database)
    assert waiting(database, yilmaz) == []
    with pytest.raises(NotFound):
        answer(database, yilmaz, approach_id, yes=True)


def test_the_invitation_behind_a_yes_opens_to_that_firm_alone(database: Database) -> None:
    keller, yilmaz, _nowak = three_houses(database)
    list_firms(database, yilmaz)
    approach_id = ask(database, keller, yilmaz)
    block(database, keller, yilmaz)
    answer(database, yilmaz, approach_id, yes=True)
    assert state_of(database, keller, yilmaz) == ""
    with database.read() as session:
        (invitation,) = session.scalars(sa.select(PartnerInvitation)).all()
        assert (invitation.for_firm, invitation.used_at) == (keller.id, None)
        assert open_invitations(session, yilmaz.id) == []
