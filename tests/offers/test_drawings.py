"""Who may open a requester's drawings, and when."""

from app.core.db import Database
from app.core.errors import NotFound
from app.federation.queries import file_for
from app.offers.actions import accept_offer, answer_yes, select_offer
from app.requests.actions import (
    Details,
    Upload,
    attach_file,
    publish_request,
    save_details,
    start_draft,
    withdraw_request,
)
from app.requests.queries import files_of
from app.requests.rules import RequestKind, ShortageReason
from app.worker import run_until_quiet
from tests.requests.story import NEED, foreman, later, people_of_the_story
from tests.world import TestFirm


def ask_with_drawings(database: Database, world: dict[str, TestFirm]) -> str:
    """One drawing opens at once, the other one after the signature."""
    keller, partners = world["keller"].actor(), (world["yilmaz"].id, world["brandt"].id)
    told = Details(shortage_reason=ShortageReason.CAPACITY, reply_by=later(days=2), partner_ids=partners)
    with database.write() as session:
        request_id = start_draft(session, keller, RequestKind.HOURS, NEED)
        attach_file(session, keller, request_id, Upload("umriss.pdf", b"%PDF-1.7 outline"))
        attach_file(session, keller, request_id, Upload("ganz.pdf", b"%PDF-1.7 whole", "after_agreement", "B"))
        save_details(session, keller, request_id, NEED, told)
        publish_request(session, keller, request_id)
    run_until_quiet(database)
    return request_id


def opened(database: Database, firm: TestFirm, request_id: str) -> list[str]:
    found = []
    with database.read() as session:
        for file in files_of(session, firm.id, request_id):
            try:
                found.append(file_for(session, firm.id, file.file_id).name)
            except NotFound:
                continue
    return sorted(found)


def test_a_drawing_may_wait_for_the_signature_and_shuts_for_those_who_were_not_chosen(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask_with_drawings(database, world)
    yilmaz, brandt = world["yilmaz"], world["brandt"]
    assert opened(database, world["keller"], request_id) == ["ganz.pdf", "umriss.pdf"]
    assert opened(database, yilmaz, request_id) == opened(database, brandt, request_id) == ["umriss.pdf"]
    with database.write() as session:
        offer_id = answer_yes(session, yilmaz.id, foreman(yilmaz), request_id)
    run_until_quiet(database)
    with database.write() as session:
        select_offer(session, world["keller"].id, offer_id, True, later(days=5))
    run_until_quiet(database)
    with database.write() as session:
        accept_offer(session, yilmaz.id, offer_id)
    assert opened(database, yilmaz, request_id) == ["ganz.pdf", "umriss.pdf"]
    assert opened(database, brandt, request_id) == ["umriss.pdf"]


def test_access_ends_when_the_request_ends_without_an_agreement(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask_with_drawings(database, world)
    with database.write() as session:
        withdraw_request(session, world["keller"].actor(), request_id)
    run_until_quiet(database)
    assert opened(database, world["yilmaz"], request_id) == []
    assert opened(database, world["keller"], request_id) == ["ganz.pdf", "umriss.pdf"]
