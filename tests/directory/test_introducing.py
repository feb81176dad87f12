"""My partner's partner: nobody is named before both said yes, and nobody learns who said no."""

import datetime as dt
import json

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, NotFound, RuleBroken
from app.core.events import AbilitiesChanged
from app.core.ids import new_id
from app.core.outbox import emit
from app.directory.introducing import (
    Proposal,
    accept_introduction,
    decline_introduction,
    introduce_partners,
    introducible,
    introductions,
    proposals,
)
from app.directory.models import Introduction
from app.federation.models import Message
from app.firms.models import AuditEvent, Firm
from app.partners.actions import pause_partnership, propose_partnership, set_scope
from app.partners.models import BlockedFirm, PartnerInvitation
from app.partners.queries import own_words, partnership_with
from app.push.models import Alert
from app.worker import run_until_quiet
from tests.partners.houses import House, approve, become_partners, state_of, three_houses
from tests.remembered import done_once
from tests.world import has_number

Three = tuple[House, House, House]


@pytest.fixture
def houses(database: Database) -> Three:
    """Keller in the middle of Yilmaz and Nowak, who do not know each other and let Keller introduce firms."""
    keller, yilmaz, nowak = three_houses(database)
    done_once(database, f"in the middle {keller.id}", lambda: put_between(database, keller, (yilmaz, nowak)))
    return keller, yilmaz, nowak


def put_between(database: Database, keller: House, others: tuple[House, House]) -> None:
    for other in others:
        become_partners(database, keller, other)
        allow(database, other, keller)
        with database.write() as session:
            emit(session, AbilitiesChanged(other.id))
    run_until_quiet(database)


def allow(database: Database, house: House, partner: House) -> None:
    with database.write() as session:
        set_scope(session, house.manager, partner.id, ["requests", "know_how", "introductions"])
    run_until_quiet(database)


def introduce(database: Database, houses: Three) -> str:
    keller, yilmaz, nowak = houses
    with database.write() as session:
        made = introduce_partners(session, keller.manager, yilmaz.id, nowak.id)
    run_until_quiet(database)
    return made


def shown(database: Database, house: House) -> list[Proposal]:
    with database.read() as session:
        return proposals(session, house.id, "de")


def say(database: Database, house: House, *, yes: bool) -> None:
    (offer,) = shown(database, house)
    with database.write() as session:
        if yes:
            words = "-".join(own_words(session, house.id).split())
            accept_introduction(session, house.manager, offer.id, lambda token: f"https://test/join/{token}#{words}")
        else:
            decline_introduction(session, house.manager, offer.id)
    run_until_quiet(database)


def states(database: Database, house: House) -> list[str]:
    with database.read() as session:
        return [one.state for one in introductions(session, house.id)]


def everything_of(database: Database, house: House) -> str:
    """What messages and Protokoll of a house say."""
    with database.read() as session:
        bodies = session.scalars(sa.select(Message.body).where(Message.firm_id == house.id))
        details = session.scalars(sa.select(AuditEvent.detail).where(AuditEvent.firm_id == house.id))
        return json.dumps([*bodies, *details], ensure_ascii=False)


def test_before_both_said_yes_each_knows_processes_and_region_only(database: Database, houses: Three) -> None:
    _keller, yilmaz, nowak = houses
    introduce(database, houses)
    (offer,) = shown(database, yilmaz)
    assert (offer.processes, offer.region, offer.from_name) == (("5-Achs-Fräsen",), "07", "Keller Metallbau")
    assert (offer.name, offer.town, offer.link) == ("", "", "")
    assert shown(database, nowak)[0].region == "98"
    assert shown(database, nowak)[0].id != offer.id
    say(database, yilmaz, yes=True)
    assert "Nowak" not in everything_of(database, yilmaz)
    assert not has_number(everything_of(database, yilmaz), "07743")
    for word in ("Yilmaz", "Suhl", "https://test"):
        assert word not in everything_of(database, nowak)


def test_two_yes_bring_each_the_others_invitation_and_the_usual_way_begins(database: Database, houses: Three) -> None:
    keller, yilmaz, nowak = houses
    introduce(database, houses)
    assert states(database, keller) == ["open"]
    say(database, yilmaz, yes=True)
    assert shown(database, yilmaz)[0].link == ""
    say(database, nowak, yes=True)
    assert states(database, keller) == ["agreed"]
    (known,) = shown(database, yilmaz)
    assert (known.name, known.town) == ("Nowak Zerspanung", "Jena")
    assert shown(database, nowak)[0].name == "Dreherei Yilmaz"
    with database.write() as session:
        token = known.link.split("/join/")[1].split("#")[0]
        propose_partnership(session, yilmaz.manager, token)
    run_until_quiet(database)
    assert shown(database, yilmaz) == []
    assert shown(database, nowak) == []
    approve(database, nowak, yilmaz)
    approve(database, yilmaz, nowak)
    assert state_of(database, yilmaz, nowak) == "active"
    with database.read() as session:
        kinds = sa.select(Alert.kind).where(Alert.firm_id == yilmaz.id, Alert.kind.like("introd%"))
        assert sorted(session.scalars(kinds)) == ["introduced", "introduction"]


def test_a_no_ends_it_and_the_other_one_never_hears_of_it(database: Database, houses: Three) -> None:
    keller, yilmaz, nowak = houses
    introduce(database, houses)
    say(database, nowak, yes=True)
    before = everything_of(database, nowak)
    say(database, yilmaz, yes=False)
    assert states(database, keller) == ["over"]
    assert everything_of(database, nowak) == before
    assert shown(database, nowak)[0].answer == "yes"
    assert shown(database, yilmaz) == []
    with clock.frozen(clock.now() + dt.timedelta(days=14, minutes=1)):
        assert shown(database, nowak) == []


def test_only_who_lets_us_introduce_is_introduced(database: Database, houses: Three) -> None:
    keller, yilmaz, nowak = houses
    with database.write() as session:
        set_scope(session, nowak.manager, keller.id, ["requests"])
    run_until_quiet(database)
    with database.read() as session:
        assert [one.partner_id for one in introducible(session, keller.id)] == [yilmaz.id]
    with pytest.raises(NotFound):
        introduce(database, houses)
    with pytest.raises(NotFound), database.write() as session:
        introduce_partners(session, keller.manager, yilmaz.id, new_id())
    with pytest.raises(NotFound), database.write() as session:
        introduce_partners(session, yilmaz.manager, keller.id, nowak.id)


def test_a_new_partnership_does_not_allow_introductions_by_itself(database: Database) -> None:
    keller, yilmaz, _nowak = three_houses(database)
    become_partners(database, keller, yilmaz)
    with database.read() as session:
        row = partnership_with(session, keller.id, yilmaz.id)
        assert (row.scope, row.partner_scope) == (["requests", "know_how"], ["requests", "know_how"])
    allow(database, yilmaz, keller)
    with database.read() as session:
        assert "introductions" in partnership_with(session, keller.id, yilmaz.id).partner_scope


def test_a_pair_is_proposed_once_in_ninety_days_and_never_with_itself(database: Database, houses: Three) -> None:
    keller, yilmaz, nowak = houses
    with pytest.raises(RuleBroken, match="verschiedene"), database.write() as session:
        introduce_partners(session, keller.manager, yilmaz.id, yilmaz.id)
    introduce(database, houses)
    for one, other in ((yilmaz, nowak), (nowak, yilmaz)):
        with pytest.raises(RuleBroken, match="schon vorgestellt"), database.write() as session:
            introduce_partners(session, keller.manager, one.id, other.id)
    with clock.frozen(clock.now() + dt.timedelta(days=91)):
        introduce(database, houses)


def test_one_answers_once_in_time_and_only_its_own(database: Database, houses: Three) -> None:
    _keller, yilmaz, nowak = houses
    introduce(database, houses)
    (offer,) = shown(database, yilmaz)
    with pytest.raises(NotFound), database.write() as session:
        decline_introduction(session, nowak.manager, offer.id)
    with (
        clock.frozen(clock.now() + dt.timedelta(days=15)),
        pytest.raises(Conflict),
        database.write() as session,
    ):
        decline_introduction(session, yilmaz.manager, offer.id)
    say(database, yilmaz, yes=False)
    with pytest.raises(Conflict), database.write() as session:
        decline_introduction(session, yilmaz.manager, offer.id)


def test_a_blocked_firm_vanishes_from_introductions(database: Database, houses: Three) -> None:
    _keller, yilmaz, nowak = houses
    introduce(database, houses)
    with database.write() as session:
        address = session.get_one(Firm, nowak.id).address
        session.add(BlockedFirm(firm_id=yilmaz.id, id=new_id(), created_at=clock.now(), address=address, name="Nowak"))
    say(database, yilmaz, yes=True)
    say(database, nowak, yes=True)
    assert shown(database, yilmaz) == []
    with database.read() as session:
        known = sa.select(Alert.id).where(Alert.firm_id == yilmaz.id, Alert.kind == "introduced")
        assert session.scalars(known).all() == []
    token = shown(database, nowak)[0].link.split("/join/")[1].split("#")[0]
    with pytest.raises(NotFound), database.write() as session:
        propose_partnership(session, nowak.manager, token)


def test_a_partnership_that_rests_brings_nobody_together(database: Database, houses: Three) -> None:
    keller, yilmaz, nowak = houses
    introduce(database, houses)
    say(database, yilmaz, yes=True)
    with database.write() as session:
        pause_partnership(session, nowak.manager, keller.id)
    run_until_quiet(database)
    with pytest.raises(RuleBroken, match="Pause"):
        say(database, nowak, yes=True)
    assert states(database, keller) == ["open"]


def test_ten_introductions_a_day_are_enough(database: Database, houses: Three) -> None:
    keller, _yilmaz, _nowak = houses
    with database.write() as session:
        for _ in range(10):
            session.add(
                Introduction(
                    firm_id=keller.id, id=new_id(), created_at=clock.now(), person_id="x", one_id=new_id(), other_id=new_id(),
                    one_offer=new_id(), other_offer=new_id(), expires_at=clock.now(),
                )
            )  # fmt: skip
    with pytest.raises(RuleBroken, match="viele"):
        introduce(database, houses)


@pytest.mark.parametrize(
    "change",
    [
        {"link": "javascript:alert(1)"},
        {"link": "https://test/anderswo"},
        {"link": 'https://test/join/AAAAAAAAAAAAAAAAAAAAAA#a"onclick'},
        {"answer": "vielleicht"},
        {"answer": "no"},
        {"offer_id": "fremd"},
        {"mehr": 1},
    ],
)
def test_an_answer_that_is_not_of_its_form_is_refused(
    database: Database, houses: Three, change: dict[str, object]
) -> None:
    keller, yilmaz, _nowak = houses
    introduce(database, houses)
    say(database, yilmaz, yes=True)
    with database.write() as session:
        session.execute(sa.update(Introduction).values(one_answer="", one_link=""))
        sent = session.scalars(
            sa.select(Message).where(Message.firm_id == yilmaz.id, Message.kind == "introduction.accepted")
        ).one()
        again = Message(
            firm_id=yilmaz.id, id=new_id(), created_at=clock.now(), direction="out", peer_id=keller.id, kind=sent.kind,
            seq=sent.seq + 1, body=sent.body | change, state="waiting", next_try_at=clock.now(), waits_since=clock.now(),
        )  # fmt: skip
        session.add(again)
        again_id = again.id
    run_until_quiet(database)
    with database.read() as session:
        assert session.get_one(Message, (yilmaz.id, again_id)).state == "refused"
        assert session.scalars(sa.select(Introduction.one_answer)).one() == ""


def test_the_invitation_of_a_yes_holds_fourteen_days_and_can_be_taken_back(database: Database, houses: Three) -> None:
    _keller, yilmaz, _nowak = houses
    introduce(database, houses)
    say(database, yilmaz, yes=True)
    with database.read() as session:
        query = sa.select(PartnerInvitation).where(
            PartnerInvitation.firm_id == yilmaz.id, PartnerInvitation.used_at.is_(None)
        )
        (row,) = session.scalars(query).all()
        assert row.expires_at - row.created_at == dt.timedelta(days=14)
