"""A partner may be hostile: what is not exactly a request, a question or an offer is refused as a whole."""

import contextlib
import copy
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app.core import clock
from app.core.db import Base, Database
from app.core.errors import RuleBroken, WerkringError
from app.core.ids import new_id
from app.federation.rules import Incoming
from app.offers.actions import answer_yes, receive_declined, receive_offer, receive_offer_withdrawn, receive_selected
from app.offers.messages import read_offer
from app.offers.models import Offer, OfferLine
from app.requests.actions import (
    receive_answer,
    receive_change,
    receive_closed,
    receive_question,
    receive_request,
    receive_withdrawal,
)
from app.requests.messages import read_request, request_body
from app.requests.models import Question, RequestFile, WorkRequest
from app.requests.queries import sent_request
from app.worker import run_until_quiet
from tests.requests.story import ask, foreman, messages_out, people_of_the_story
from tests.world import TestFirm

ID = "018f0000-0000-7000-8000-000000000001"
GOOD: dict[str, Any] = {
    "request_id": ID, "version": 1, "kind": "hours", "title": "Gehäuse", "pack": "metal", "process_key": "milling_5x",
    "machine_type_key": None, "need_min": 30000, "first_week": "2026-W49", "last_week": "2027-W04", "delivery_week": None,
    "material": "1.7225", "material_group": "P", "part_x_mm": 120, "part_y_mm": 80, "part_z_mm": 40, "part_g": 900,
    "may_turn": True, "needed_it": 7, "needed_ra_nm": 1600, "general_tolerance": "", "certificates": [], "needs": {},
    "part_count": 60, "note": "", "shortage_reason": "capacity", "radius_km": 80, "reply_by": "2026-11-18T11:00:00+00:00",
    "contact_name": "Petra", "contact_phone": "", "allow_part": True, "lat": 50.6832, "lon": 10.9186, "files": [],
}  # fmt: skip
OFFER: dict[str, Any] = {
    "offer_id": ID, "request_id": ID, "request_version": 1, "version": 1, "answer": "yes",
    "valid_until": "2026-11-23T11:00:00+00:00", "transport_cents": 0, "note": "",
    "lines": [
        {
            "line_id": ID, "machine_id": ID, "machine_name": "F5-650", "machine_type_key": "mill_5axis", "week": "2026-W49",
            "offered_min": 600, "rate_cents_per_hour": 9500, "set_up_min": 0, "min_block_min": 480,
            "set_up_rate_cents_per_hour": None, "programming_rate_cents_per_hour": 0, "night_surcharge_permille": 0,
            "sunday_surcharge_permille": 0,
        }
    ],
}  # fmt: skip
FAULTS: list[tuple[str, Any]] = [
    ("request_id", "../../etc"), ("request_id", None), ("request_id", ID.upper()), ("version", 0), ("version", True),
    ("version", "1"), ("version", 10**9), ("kind", "rent"), ("title", "x" * 81), ("title", "a\u202eb"), ("title", "a\nb"),
    ("title", 5), ("pack", "../metal"), ("process_key", "x" * 41), ("process_key", None), ("need_min", -15),
    ("need_min", 14), ("need_min", 30007), ("need_min", 1.5), ("need_min", 10**12), ("first_week", "2025-W53"),
    ("first_week", "2027-W10"), ("last_week", "2036-W10"), ("last_week", "morgen"), ("part_x_mm", 0), ("part_x_mm", "120"),
    ("may_turn", 1), ("needed_it", 40), ("certificates", ["x"] * 30), ("certificates", "iso"), ("certificates", [["x"]]),
    ("certificates", ["iso_9001", "iso_9001"]), ("needs", {"x": {"y": 1}}), ("needs", {"x": float("inf")}),
    ("needs", {f"k{n}": 1 for n in range(50)}), ("note", "x" * 501), ("shortage_reason", ""), ("shortage_reason", "profit"),
    ("radius_km", 0), ("reply_by", "2026-11-18T11:00:00"), ("reply_by", "bald"), ("reply_by", 5), ("lat", 91),
    ("lat", float("nan")), ("lat", "50"), ("files", [{}]), ("files", {}), ("contact_phone", "\x00"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), FAULTS, ids=[f"{name}={value!r}"[:60] for name, value in FAULTS])
def test_a_request_with_one_wrong_field_is_refused(field: str, value: Any) -> None:
    with pytest.raises(RuleBroken):
        read_request(GOOD | {field: value})


@pytest.mark.parametrize("field", sorted(GOOD))
def test_a_request_with_a_missing_field_is_refused(field: str) -> None:
    with pytest.raises(RuleBroken):
        read_request({name: value for name, value in GOOD.items() if name != field})


def test_a_request_with_one_field_too_many_is_refused() -> None:
    with pytest.raises(RuleBroken, match="customer"):
        read_request(GOOD | {"customer": "Geheimkunde"})


def test_what_was_written_is_what_is_read() -> None:
    assert request_body(read_request(GOOD)) == GOOD


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from(sorted(GOOD)), JSON)
def test_no_value_in_any_field_makes_anything_but_a_request_or_a_refusal(field: str, value: Any) -> None:
    with contextlib.suppress(RuleBroken):
        read_request(GOOD | {field: value})


@given(st.sampled_from(sorted(OFFER)), st.sampled_from(sorted(OFFER["lines"][0])), JSON)
def test_no_value_in_an_offer_makes_anything_but_an_offer_or_a_refusal(field: str, line_field: str, value: Any) -> None:
    body = copy.deepcopy(OFFER)
    body["lines"][0][line_field] = value
    for hostile in (OFFER | {field: value}, body):
        with contextlib.suppress(RuleBroken):
            read_offer(hostile)


def row_counts(database: Database) -> dict[str, int]:
    tables: list[type[Base]] = [WorkRequest, Offer, OfferLine, Question, RequestFile]
    with database.read() as session:
        return {t.__tablename__: session.scalar(sa.select(sa.func.count()).select_from(t)) or 0 for t in tables}


def refused(
    database: Database,
    action: Callable[..., None],
    to: TestFirm,
    sender: TestFirm,
    body: dict[str, Any],
    at: dt.datetime | None = None,
) -> None:
    """The action refuses the message and nothing of it stays."""
    before = row_counts(database)
    with pytest.raises(WerkringError), database.write() as session:
        action(session, Incoming(to.id, sender.id, new_id(), "x", body, at or clock.now()))
    assert row_counts(database) == before


def test_a_partner_cannot_touch_the_request_of_another_firm_or_our_own(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, partners=("yilmaz", "brandt"))
    keller, yilmaz, brandt = world["keller"], world["yilmaz"], world["brandt"]
    body = GOOD | {"request_id": request_id, "version": 9}
    # Yilmaz' house holds Keller's request; Brandt claims the same id there, and Yilmaz claims it in Keller's house
    refused(database, receive_request, yilmaz, brandt, body)
    refused(database, receive_change, yilmaz, brandt, body)
    refused(database, receive_withdrawal, yilmaz, brandt, {"request_id": request_id})
    refused(database, receive_closed, yilmaz, brandt, {"request_id": request_id, "ending": "expired"})
    refused(database, receive_request, keller, yilmaz, body)
    refused(database, receive_change, keller, yilmaz, body)
    refused(database, receive_withdrawal, keller, yilmaz, {"request_id": request_id})
    with database.read() as session:
        assert session.get_one(WorkRequest, (yilmaz.id, request_id)).version == 1
        assert session.get_one(WorkRequest, (keller.id, request_id)).state == "open"


def test_a_change_brings_in_neither_a_new_request_nor_another_kind(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, partners=("yilmaz",))
    keller, yilmaz = world["keller"], world["yilmaz"]
    refused(database, receive_change, yilmaz, keller, GOOD | {"request_id": new_id()})
    asks_know_how = {"kind": "know_how", "need_min": 0, "part_count": 20}
    refused(database, receive_change, yilmaz, keller, GOOD | asks_know_how | {"request_id": request_id, "version": 2})


def test_an_offer_of_a_firm_that_was_not_asked_or_that_lies_is_refused(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, partners=("yilmaz", "brandt"))
    keller, yilmaz, nowak = world["keller"], world["yilmaz"], world["nowak"]
    good = OFFER | {"request_id": request_id}
    refused(database, receive_offer, keller, nowak, good)
    refused(database, receive_offer, keller, yilmaz, good | {"request_version": 2})
    refused(database, receive_offer, keller, yilmaz, good | {"valid_until": "2026-11-10T11:00:00+00:00"})
    refused(database, receive_offer, keller, yilmaz, good | {"valid_until": "2027-11-10T11:00:00+00:00"})
    refused(database, receive_offer, keller, yilmaz, good | {"lines": []})
    refused(database, receive_offer, keller, yilmaz, good | {"lines": OFFER["lines"] * 2})
    refused(database, receive_offer, keller, yilmaz, good | {"lines": [OFFER["lines"][0] | {"week": "2027-W10"}]})
    refused(database, receive_offer, keller, yilmaz, good, at=clock.now() + dt.timedelta(days=3))
    with database.write() as session:
        receive_offer(session, Incoming(keller.id, yilmaz.id, new_id(), "offer.made", good, clock.now()))
    # another partner can neither replace nor withdraw it, nor take its line ids
    brandt = world["brandt"]
    refused(database, receive_offer, keller, brandt, good)
    refused(database, receive_offer, keller, brandt, good | {"offer_id": new_id()})
    refused(database, receive_offer_withdrawn, keller, brandt, {"offer_id": ID, "reason": "undone"})
    with database.read() as session:
        assert session.get_one(Offer, (keller.id, ID)).state == "submitted"


def test_a_requester_cannot_choose_decline_or_hold_what_is_not_offered_to_it(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, partners=("yilmaz",))
    yilmaz, brandt, keller = world["yilmaz"], world["brandt"], world["keller"]
    with database.write() as session:
        offer_id = answer_yes(session, yilmaz.id, foreman(yilmaz), request_id)
    run_until_quiet(database)
    until = (clock.now() + dt.timedelta(days=3)).isoformat()
    choice = {"offer_id": offer_id, "is_whole": True, "hold_until": until}
    refused(database, receive_selected, yilmaz, brandt, choice)
    refused(database, receive_declined, yilmaz, brandt, {"offer_id": offer_id})
    refused(database, receive_selected, keller, yilmaz, choice)
    refused(database, receive_selected, yilmaz, keller, choice | {"hold_until": "2027-06-01T00:00:00+00:00"})
    refused(database, receive_selected, yilmaz, keller, choice | {"price": 1})


def test_questions_of_firms_that_were_not_asked_are_refused(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, partners=("yilmaz",))
    keller, yilmaz, nowak = world["keller"], world["yilmaz"], world["nowak"]
    line = {"question_id": ID, "request_id": request_id, "text": "Welches Spannmittel?", "files": []}
    refused(database, receive_question, keller, nowak, line)
    refused(database, receive_question, yilmaz, keller, line)
    refused(database, receive_answer, keller, yilmaz, line)
    refused(database, receive_question, keller, yilmaz, line | {"text": ""})
    refused(database, receive_question, keller, yilmaz, line | {"text": "x" * 1001})
    with database.write() as session:
        receive_question(session, Incoming(keller.id, yilmaz.id, new_id(), "request.asked", line, clock.now()))
    refused(database, receive_question, keller, world["brandt"], line)


def test_a_named_file_that_is_not_the_senders_is_refused_and_nothing_half_stored(database: Database) -> None:
    world = people_of_the_story(database)
    file = {
        "file_id": new_id(), "name": "teil.pdf", "index": "", "sha256": "0" * 64, "media_type": "application/pdf",
        "size": 10, "confidentiality": "partner",
    }  # fmt: skip
    refused(database, receive_request, world["yilmaz"], world["keller"], GOOD | {"files": [file]})


def test_one_partner_cannot_flood_a_house_with_requests(database: Database) -> None:
    world = people_of_the_story(database)
    yilmaz, keller = world["yilmaz"], world["keller"]
    with database.write() as session:
        for _ in range(20):
            incoming = Incoming(yilmaz.id, keller.id, new_id(), "x", GOOD | {"request_id": new_id()}, clock.now())
            receive_request(session, incoming)
    refused(database, receive_request, yilmaz, keller, GOOD | {"request_id": new_id()})


def test_a_repeated_message_changes_nothing(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, partners=("yilmaz",))
    with database.read() as session:
        own = session.get_one(WorkRequest, (world["keller"].id, request_id))
        body = request_body(sent_request(session, own))
    before = row_counts(database)
    with database.write() as session:
        incoming = Incoming(world["yilmaz"].id, world["keller"].id, new_id(), "request.published", body, clock.now())
        receive_request(session, incoming)
    assert row_counts(database) == before
    assert len(messages_out(database, world["keller"])) == 1
