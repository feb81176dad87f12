"""A partner firm that writes its messages by hand: what it sends never counts for more than what it is."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.capacity.models import Hold
from app.core import clock
from app.core.db import Database
from app.core.errors import RuleBroken, WerkringError
from app.core.ids import new_id
from app.core.outbox import OutboxRow
from app.federation.models import Message
from app.federation.rules import check_body
from app.firms.access import Role
from app.notary.actions import remember_partner_keys
from app.notary.models import PartnerKeys
from app.notary.queries import key_document
from app.notary.rings import partner_keys, verify_key_document
from app.offers.actions import answer_yes
from app.offers.models import Offer, OfferLine
from app.partners.actions import propose_partnership
from app.partners.queries import find_partnership
from app.partners.telling import joined_body
from app.push.models import Alert
from app.requests.models import WorkRequest
from app.web.forms import Form
from app.worker import run_until_quiet
from tests.agreements.world import make_deal, second_manager
from tests.partners.houses import House, become_partners, invitation_of, state_of, three_houses, use_invitation
from tests.requests.story import ask, offers_of, people_of_the_story
from tests.safety.hostile import foreign_keys, open_node
from tests.world import TestFirm, join_firms

World = dict[str, TestFirm]


def forge(
    database: Database, sender: str, receiver: str, kind: str, body: dict[str, Any], at: dt.datetime | None = None
) -> str:
    """Put a hand-made message into the sender's outbox, deliver it, and return its state then."""
    with database.write() as session:
        last = session.scalar(
            sa.select(sa.func.max(Message.seq)).where(
                Message.firm_id == sender, Message.peer_id == receiver, Message.direction == "out"
            )
        )
        message = Message(
            firm_id=sender, id=new_id(), created_at=at or clock.now(), direction="out", peer_id=receiver, kind=kind,
            seq=(last or 0) + 1, body=body, state="waiting", next_try_at=clock.now(),
        )  # fmt: skip
        session.add(message)
        session.flush()
        message_id = message.id
    run_until_quiet(database)
    with database.read() as session:
        return str(session.get_one(Message, (sender, message_id)).state)


# --- who somebody is ------------------------------------------------------------------------------------------------


def joined_as(database: Database, keller: House, nowak: House, keys: dict[str, Any], **card: str) -> str:
    """Nowak has used Keller's invitation and now tells whatever it likes about itself."""
    token = invitation_of(database, keller)
    with database.write() as session:
        propose_partnership(session, nowak.manager, token)
    with database.write() as session:
        body = joined_body(session, nowak.id, keller.id)
        session.execute(sa.delete(OutboxRow))  # the honest message stays at home
    body["keys"], body["card"] = keys, body["card"] | card
    return forge(database, nowak.id, keller.id, "partner.accept", body)


def test_a_firm_cannot_introduce_itself_under_the_address_of_another_one(
    sqlite_database: Database, tmp_path: Path
) -> None:
    keller, yilmaz, nowak = three_houses(sqlite_database)
    become_partners(sqlite_database, keller, yilmaz)
    keys = foreign_keys(tmp_path, "yilmaz")
    sent = joined_as(
        sqlite_database, keller, nowak, keys, address="yilmaz@test", name="Dreherei Yilmaz", short_name="Yilmaz"
    )
    assert sent == "refused"
    with sqlite_database.read() as session:
        assert find_partnership(session, keller.id, nowak.id) is None
        assert session.get(PartnerKeys, (keller.id, nowak.id)) is None


def test_two_partners_never_hold_keys_under_one_address(sqlite_database: Database, tmp_path: Path) -> None:
    keller, yilmaz, nowak = three_houses(sqlite_database)
    become_partners(sqlite_database, keller, yilmaz)
    keys = foreign_keys(tmp_path, "yilmaz")
    with pytest.raises(RuleBroken), sqlite_database.write() as session:
        remember_partner_keys(session, keller.id, nowak.id, keys)
    with sqlite_database.read() as session:
        found = partner_keys(session, keller.id, "yilmaz@test")
        true_one = verify_key_document(key_document(session, yilmaz.id))
        assert found is not None
        assert found.genesis_digest == true_one.genesis_digest


def test_keys_of_the_practice_world_bind_nobody_here_and_are_refused(sqlite_database: Database, tmp_path: Path) -> None:
    keller, _yilmaz, nowak = three_houses(sqlite_database)
    keys = foreign_keys(tmp_path, "nowak", is_practice=True)
    sent = joined_as(sqlite_database, keller, nowak, keys)
    assert sent == "refused"
    with sqlite_database.read() as session:
        assert session.get(PartnerKeys, (keller.id, nowak.id)) is None


def test_a_key_that_was_revoked_stays_revoked_when_an_older_key_document_comes_again(sqlite_database: Database) -> None:
    deal = make_deal(sqlite_database)
    keller, yilmaz = deal.firms["keller"], deal.firms["yilmaz"]
    with sqlite_database.read() as session:
        old = key_document(session, yilmaz.id)
    second_manager(sqlite_database, deal, "yilmaz")
    with sqlite_database.write() as session:
        new = key_document(session, yilmaz.id)
        remember_partner_keys(session, keller.id, yilmaz.id, new)
        assert len(new["keys"]) > len(old["keys"])
    with sqlite_database.write() as session:
        remember_partner_keys(session, keller.id, yilmaz.id, old)
    with sqlite_database.read() as session:
        assert session.get_one(PartnerKeys, (keller.id, yilmaz.id)).document == new


def test_a_copy_of_the_invitation_message_opens_nothing_again(sqlite_database: Database) -> None:
    keller, yilmaz, nowak = three_houses(sqlite_database)
    use_invitation(sqlite_database, yilmaz, invitation_of(sqlite_database, keller))
    with sqlite_database.read() as session:
        body = joined_body(session, yilmaz.id, keller.id)
    assert forge(sqlite_database, nowak.id, keller.id, "partner.accept", body) in ("refused", "cancelled")
    assert state_of(sqlite_database, keller, nowak) == ""


# --- what somebody may ask ------------------------------------------------------------------------------------------


@pytest.fixture
def world(sqlite_database: Database) -> World:
    return people_of_the_story(sqlite_database)


def sent_body(database: Database, world: World, request_id: str, key: str = "yilmaz") -> dict[str, Any]:
    with database.read() as session:
        body = session.scalars(
            sa.select(Message.body).where(
                Message.firm_id == world["keller"].id, Message.peer_id == world[key].id, Message.kind == "request.published",
                Message.subject_id == request_id,
            )
        ).one()  # fmt: skip
    return dict(body)


ODD_REQUESTS: dict[str, dict[str, Any]] = {
    "digits of another script": {"first_week": "２０２６-W49"},
    "other digit at the end": {"last_week": "2026-W5٠"},
    "week 53 of 2027": {"last_week": "2027-W53"},
    "turned text": {"title": "Teil\u202egnp.exe"},
    "half letter": {"note": "\ud800"},
    "a pack nobody has": {"pack": "moon"},
    "deep needs": {"needs": {"x": {"y": 1}}},
    "not a number": {"lat": float("nan")},
    "a year without end": {"reply_by": "9999-12-31T23:59:59+00:00"},
    "more than asked": {"free_hours": 1},
}


@pytest.mark.parametrize("name", ODD_REQUESTS)
def test_an_odd_request_is_refused_whole(sqlite_database: Database, world: World, name: str) -> None:
    body = (
        sent_body(sqlite_database, world, ask(sqlite_database, world)) | {"request_id": new_id()} | ODD_REQUESTS[name]
    )
    if name in ("half letter", "not a number"):
        with pytest.raises(WerkringError):
            check_body(body)
        return
    sent = forge(sqlite_database, world["keller"].id, world["yilmaz"].id, "request.published", body)
    assert sent == "refused"
    with sqlite_database.read() as session:
        assert session.get(WorkRequest, (world["yilmaz"].id, body["request_id"])) is None


STRANGE_REQUESTS: dict[str, dict[str, Any]] = {
    "a process nobody knows": {"process_key": "time_travel", "machine_type_key": "tardis"},
    "needs nobody knows": {"needs": {"x_travel": [], "never_heard": "x", "table_load_kg": "viel", "simultaneous": 5}},
    "markup": {"title": "<script>alert(1)</script>", "note": "{{ 7*7 }} %(name)s %s <img src=x onerror=alert(1)>"},
    "certificates nobody knows": {"certificates": ["moon_1"], "general_tolerance": "<b>"},
    "far away": {"lat": 90.0, "lon": 180.0, "radius_km": 1},
    "no place": {"lat": None, "lon": None, "radius_km": 1},
    "tiny and huge": {"part_x_mm": 1, "part_y_mm": 100_000, "part_z_mm": 1, "part_g": 100_000_000, "needed_it": -1},
    "long ago and far ahead": {"reply_by": "2100-12-31T00:00:00+00:00", "last_week": "2028-W40"},
    "values for yes or no": {
        "needs": {"x_travel": True, "y_travel": -5, "z_travel": 1e11, "workpiece_diameter": None or 0}
    },
    "a material of signs": {"material": "%s%n", "material_group": ""},
    "know-how without anything": {"kind": "know_how", "process_key": None, "need_min": 0, "part_count": None},
}


@pytest.mark.parametrize("name", STRANGE_REQUESTS)
def test_a_strange_request_never_breaks_the_pages_of_the_house_that_got_it(
    sqlite_database: Database, tmp_path: Path, world: World, name: str
) -> None:
    body = sent_body(sqlite_database, world, ask(sqlite_database, world))
    body |= {"request_id": new_id()} | STRANGE_REQUESTS[name]
    sent = forge(sqlite_database, world["keller"].id, world["yilmaz"].id, "request.published", body)
    assert sent in ("delivered", "refused")
    with sqlite_database.read() as session:
        stuck = session.scalar(sa.text("SELECT count(*) FROM outbox WHERE settled_at IS NULL"))
    assert stuck == 0
    foreman = open_node(sqlite_database, tmp_path).person(world["yilmaz"], Role.FOREMAN)
    page = foreman.get("/anfragen")
    assert page.status_code == 200
    assert "<script>alert" not in page.text
    if sent == "delivered":
        for way in ("", "/teil", "/warum"):
            shown = foreman.get(f"/anfragen/{body['request_id']}{way}")
            assert shown.status_code == 200, way
            assert "<script>alert" not in shown.text
            assert "<img src=x" not in shown.text
        assert foreman.get(f"/fragen/{body['request_id']}/{world['keller'].id}").status_code == 200
        assert foreman.post(f"/anfragen/{body['request_id']}", data={"answer": "no"}).status_code == 303


def test_what_a_partner_dates_into_the_future_was_said_when_it_came(sqlite_database: Database, world: World) -> None:
    keller, yilmaz = world["keller"], world["yilmaz"]
    body = sent_body(sqlite_database, world, ask(sqlite_database, world)) | {"request_id": new_id()}
    later = clock.now() + dt.timedelta(days=400)
    assert forge(sqlite_database, keller.id, yilmaz.id, "request.published", body, later) == "delivered"
    with sqlite_database.read() as session:
        request = session.get_one(WorkRequest, (yilmaz.id, body["request_id"]))
        assert request.published_at == clock.now()


def test_a_partner_touches_no_request_but_its_own(sqlite_database: Database, world: World) -> None:
    keller, yilmaz, nowak = world["keller"], world["yilmaz"], world["nowak"]
    with sqlite_database.write() as session:
        join_firms(session, nowak, yilmaz)
    request_id = ask(sqlite_database, world)
    body = sent_body(sqlite_database, world, request_id) | {"version": 7, "title": "Gekapert"}
    attacks = {
        "request.changed": body, "request.published": body, "request.withdrawn": {"request_id": request_id},
        "request.closed": {"request_id": request_id, "ending": "contracted"},
        "request.answered": {"question_id": new_id(), "request_id": request_id, "text": "x", "files": []},
    }  # fmt: skip
    for kind, forged in attacks.items():
        assert forge(sqlite_database, nowak.id, yilmaz.id, kind, forged) == "refused", kind
    with sqlite_database.read() as session:
        row = session.get_one(WorkRequest, (yilmaz.id, request_id))
        assert (row.title, row.state, row.partner_id) == ("", "open", keller.id)


def test_a_partner_changes_its_request_only_as_often_as_people_read(sqlite_database: Database, world: World) -> None:
    request_id = ask(sqlite_database, world)
    body = sent_body(sqlite_database, world, request_id)
    states = []
    for version in range(2, 80):
        told = body | {"version": version, "note": f"Fassung {version}"}
        states.append(forge(sqlite_database, world["keller"].id, world["yilmaz"].id, "request.changed", told))
    assert "refused" in states
    with sqlite_database.read() as session:
        count = session.scalar(sa.select(sa.func.count()).select_from(Alert).where(Alert.firm_id == world["yilmaz"].id))
    assert count is not None
    assert count <= 25


# --- hours ----------------------------------------------------------------------------------------------------------


def selected(database: Database, world: World) -> str:
    """Yilmaz has offered and Keller has chosen it."""
    request_id = ask(database, world)
    with database.write() as session:
        offer_id = answer_yes(session, world["yilmaz"].id, world["yilmaz"].people[Role.FOREMAN], request_id)
    run_until_quiet(database)
    return offer_id


def test_a_requester_cannot_keep_hours_for_ever_by_choosing_again_and_again(
    sqlite_database: Database, world: World
) -> None:
    offer_id = selected(sqlite_database, world)
    keller, yilmaz = world["keller"].id, world["yilmaz"].id
    start = clock.now()
    for day in (0, 15, 30, 45):
        with clock.frozen(start + dt.timedelta(days=day)):
            until = clock.now() + dt.timedelta(days=20)
            forge(
                sqlite_database, keller, yilmaz, "offer.selected",
                {"offer_id": offer_id, "is_whole": True, "hold_until": until.isoformat()},
            )  # fmt: skip
    with sqlite_database.read() as session:
        offer_until = session.get_one(Offer, (yilmaz, offer_id)).valid_until
        held = session.scalars(sa.select(Hold.valid_until).where(Hold.firm_id == yilmaz)).all()
    assert offer_until <= start + dt.timedelta(days=21)
    assert max(held) <= start + dt.timedelta(days=21)


ODD_OFFERS: dict[str, dict[str, Any]] = {
    "the same week in other digits": {"week": "2026-W4９"},
    "an hour for nothing": {"rate_cents_per_hour": 0},
    "set-up that pays back": {"set_up_rate_cents_per_hour": -1},
    "a night at three times the price": {"night_surcharge_permille": 2001},
    "half a cent for programming": {"programming_rate_cents_per_hour": 0.5},
    "more than a week has": {"offered_min": 7 * 24 * 60 + 15},
    "minus": {"offered_min": -15},
    "turned name": {"machine_name": "F5\u202e056"},
}


def test_an_offer_told_again_in_other_words_is_refused_and_the_first_one_stands(
    sqlite_database: Database, world: World
) -> None:
    offer_id = selected(sqlite_database, world)
    keller, yilmaz = world["keller"].id, world["yilmaz"].id
    with sqlite_database.read() as session:
        query = sa.select(Message.body).where(Message.firm_id == yilmaz, Message.kind == "offer.made")
        body = dict(session.scalars(query.where(Message.direction == "out")).one())
    line = body["lines"][0]
    for changed in ({"note": "doch anders"}, {"lines": [line | {"rate_cents_per_hour": 1}]}, {"transport_cents": 1}):
        assert forge(sqlite_database, yilmaz, keller, "offer.made", body | changed) == "refused"
    assert forge(sqlite_database, yilmaz, keller, "offer.made", body) == "delivered"
    with sqlite_database.read() as session:
        kept = session.scalars(sa.select(OfferLine).where(OfferLine.firm_id == keller, OfferLine.offer_id == offer_id))
        assert line["rate_cents_per_hour"] in {one.rate_cents_per_hour for one in kept}


@pytest.mark.parametrize("name", ODD_OFFERS)
def test_an_odd_offer_is_refused_whole(sqlite_database: Database, world: World, name: str) -> None:
    selected(sqlite_database, world)
    with sqlite_database.read() as session:
        query = sa.select(Message.body).where(Message.firm_id == world["yilmaz"].id, Message.kind == "offer.made")
        body = dict(session.scalars(query.where(Message.direction == "out")).one())
    line = dict(body["lines"][0]) | {"line_id": new_id()} | ODD_OFFERS[name]
    body |= {"offer_id": new_id(), "version": 2, "lines": [line]}
    sent = forge(sqlite_database, world["yilmaz"].id, world["keller"].id, "offer.made", body)
    assert sent == "refused"
    assert len(offers_of(sqlite_database, world["keller"], body["request_id"])) == 1


def test_what_people_paste_still_reaches_the_partner(sqlite_database: Database, tmp_path: Path, world: World) -> None:
    """Invisible signs come along when people copy from web pages; partners refuse texts that hold them."""
    form = Form(
        {
            "note": "Guß\u00adteil 👩\u200d🔧 bis\u2028Freitag\ufeff",
            "title": "Wel\u200ble\u202e 5",
            "name": "Mu\u0308ller",
        }
    )
    request_id = ask(
        sqlite_database, world, note=form.long_text("note"), title=form.text("title"), contact_name=form.text("name")
    )
    with sqlite_database.read() as session:
        row = session.get(WorkRequest, (world["yilmaz"].id, request_id))
        assert row is not None
        assert (row.title, row.contact_name) == ("Welle 5", "Müller")
