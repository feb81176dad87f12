"""Writing, sending, changing and ending a request; questions on it."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from app.capacity.actions import offer_hours
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, NotFound, RuleBroken
from app.federation.queries import file_for
from app.firms.access import Role
from app.partners.models import Partnership
from app.partners.queries import partnership_with
from app.push.payload import tag_of
from app.requests.actions import (
    Change,
    Details,
    Upload,
    answer_question,
    ask_question,
    attach_file,
    change_request,
    close_request,
    discard_draft,
    drop_file,
    expire_requests,
    mark_thread_seen,
    publish_request,
    save_details,
    save_requirement,
    start_draft,
    withdraw_request,
)
from app.requests.drafts import RequirementDraft
from app.requests.models import RequestFile, WorkRequest
from app.requests.queries import chosen_ids, files_of, open_draft, own_requests, process_order, thread
from app.requests.rules import RequestKind, ShortageReason
from app.worker import run_until_quiet
from tests.requests.story import KNOW_HOW, NEED, alerts_of, ask, later, messages_out, people_of_the_story, request_row
from tests.world import TestFirm


def photo() -> bytes:
    picture = Image.new("RGB", (40, 30), "grey")
    exif = picture.getexif()
    exif[0x010F] = "SPY-CAMERA"
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=exif)
    return out.getvalue()


def change_of(row: WorkRequest, **told: object) -> Change:
    assert row.reply_by is not None
    same = Change(
        row.need_min, row.first_week, row.last_week, row.part_count, row.reply_by, row.note, row.contact_phone
    )
    return replace(same, **told)  # type: ignore[arg-type]


def test_a_new_draft_has_partners_deadline_and_contact_filled_in(database: Database) -> None:
    world = people_of_the_story(database)
    keller = world["keller"].actor()
    with database.write() as session:
        request_id = start_draft(session, keller, RequestKind.HOURS, NEED)
    with database.read() as session:
        draft = open_draft(session, keller.firm_id, keller.person_id, "hours", clock.now())
        assert draft is not None
        assert draft.id == request_id
        assert draft.reply_by is not None
        assert draft.reply_by.isoformat() == "2026-11-18T11:00:00+00:00"
        assert len(chosen_ids(session, keller.firm_id, request_id)) == 5
        assert open_draft(session, keller.firm_id, world["keller"].people[Role.FOREMAN], "hours", clock.now()) is None
        assert own_requests(session, keller.firm_id) == []


def test_nothing_leaves_the_house_before_the_request_is_sent(database: Database) -> None:
    world = people_of_the_story(database)
    with database.write() as session:
        start_draft(session, world["keller"].actor(), RequestKind.HOURS, NEED)
    run_until_quiet(database)
    assert messages_out(database, world["keller"]) == []


def test_a_request_without_a_reason_or_a_partner_is_not_sent(database: Database) -> None:
    world = people_of_the_story(database)
    with pytest.raises(RuleBroken, match="Grund"):
        ask(database, world, shortage_reason=None)
    with pytest.raises(RuleBroken, match="mindestens einen Partner"):
        ask(database, world, partners=())
    assert messages_out(database, world["keller"]) == []


def test_only_active_partners_with_the_scope_can_be_asked(database: Database) -> None:
    world = people_of_the_story(database)
    with database.write() as session:
        for partnership in session.query(Partnership).filter_by(
            firm_id=world["keller"].id, partner_id=world["yilmaz"].id
        ):
            partnership.partner_scope = ["know_how"]
    with pytest.raises(RuleBroken, match="gerade nicht fragen"):
        ask(database, world, partners=("yilmaz",))


def test_a_partner_that_answers_questions_only_is_asked_for_know_how_and_not_for_hours(database: Database) -> None:
    world = people_of_the_story(database)
    keller, yilmaz = world["keller"], world["yilmaz"]
    with database.write() as session:
        partnership_with(session, keller.id, yilmaz.id).partner_scope = ["know_how"]
        partnership_with(session, yilmaz.id, keller.id).scope = ["know_how"]
    request_id = ask(database, world, KNOW_HOW, ("yilmaz",), RequestKind.KNOW_HOW)
    assert request_row(database, yilmaz, request_id) is not None
    with pytest.raises(RuleBroken, match="gerade nicht fragen"):
        ask(database, world, partners=("yilmaz",))


def test_a_partner_that_lets_in_nothing_new_still_hears_that_a_request_is_taken_back(database: Database) -> None:
    world = people_of_the_story(database)
    keller, yilmaz = world["keller"], world["yilmaz"]
    request_id = ask(database, world, partners=("yilmaz",))
    with database.write() as session:
        partnership_with(session, keller.id, yilmaz.id).partner_scope = []
        partnership_with(session, yilmaz.id, keller.id).scope = []
        withdraw_request(session, keller.actor(), request_id)
    run_until_quiet(database)
    row = request_row(database, yilmaz, request_id)
    assert row is not None
    assert row.state == "cancelled"


def test_a_partnership_that_ends_before_sending_gets_nothing(database: Database) -> None:
    world = people_of_the_story(database)
    keller = world["keller"].actor()
    told = Details(shortage_reason=ShortageReason.CAPACITY, reply_by=later(days=2))
    with database.write() as session:
        request_id = start_draft(session, keller, RequestKind.HOURS, NEED)
        both = tuple(world[key].id for key in ("yilmaz", "brandt"))
        save_details(session, keller, request_id, NEED, replace(told, partner_ids=both))
        assert publish_request(session, keller, request_id) == 2
        for partnership in session.query(Partnership).filter_by(firm_id=keller.firm_id, partner_id=world["brandt"].id):
            partnership.state = "ended"
    run_until_quiet(database)
    assert [message.peer_id for message in messages_out(database, world["keller"])] == [world["yilmaz"].id]


def test_twenty_open_requests_are_enough(database: Database) -> None:
    world = people_of_the_story(database)
    for _ in range(20):
        ask(database, world, partners=("yilmaz",))
    with pytest.raises(RuleBroken, match="offene Anfragen"):
        ask(database, world, partners=("brandt",))


def test_a_partner_cannot_be_sounded_out_by_small_requests_even_if_they_are_withdrawn(database: Database) -> None:
    world = people_of_the_story(database)
    small = replace(NEED, need_min=240)
    for _ in range(5):
        request_id = ask(database, world, small, ("yilmaz",))
        with database.write() as session:
            withdraw_request(session, world["keller"].actor(), request_id)
    with pytest.raises(RuleBroken, match="kleine Anfragen"):
        ask(database, world, small, ("yilmaz", "brandt"))
    ask(database, world, small, ("brandt",))
    with clock.frozen(later(days=8)):
        ask(database, world, replace(small, last_week="2027-W04"), ("yilmaz",), reply_by=later(days=2))


def test_a_request_cannot_shrink_into_a_probe_by_being_changed(database: Database) -> None:
    world = people_of_the_story(database)
    for _ in range(5):
        ask(database, world, replace(NEED, need_min=240), ("yilmaz",))
    request_id = ask(database, world, partners=("yilmaz",))
    row = request_row(database, world["keller"], request_id)
    assert row is not None
    with pytest.raises(RuleBroken, match="kleine Anfragen"), database.write() as session:
        change_request(session, world["keller"].actor(), request_id, change_of(row, need_min=60))


def test_a_change_reaches_everybody_asked_as_a_new_version(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, partners=("yilmaz", "brandt"))
    row = request_row(database, world["keller"], request_id)
    assert row is not None
    with database.write() as session:
        change_request(session, world["keller"].actor(), request_id, change_of(row, need_min=400 * 60))
    run_until_quiet(database)
    for key in ("yilmaz", "brandt"):
        theirs = request_row(database, world[key], request_id)
        assert theirs is not None
        assert (theirs.version, theirs.need_min, theirs.job_version) == (2, 400 * 60, 1)
    with database.write() as session:
        change_request(session, world["keller"].actor(), request_id, change_of(row, need_min=400 * 60))
    run_until_quiet(database)
    assert len(messages_out(database, world["keller"], "request.changed")) == 2


def test_a_change_that_is_wrong_changes_nothing(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, partners=("yilmaz",))
    row = request_row(database, world["keller"], request_id)
    assert row is not None
    with pytest.raises(RuleBroken, match="vor dem Anfang"), database.write() as session:
        change_request(session, world["keller"].actor(), request_id, change_of(row, last_week="2026-W48"))
    with pytest.raises(RuleBroken, match="Zukunft"), database.write() as session:
        change_request(session, world["keller"].actor(), request_id, change_of(row, reply_by=clock.now()))
    again = request_row(database, world["keller"], request_id)
    assert again is not None
    assert (again.version, again.last_week) == (1, "2027-W04")


def test_withdrawing_and_expiring_reach_everybody_asked(database: Database) -> None:
    world = people_of_the_story(database)
    gone = ask(database, world, partners=("yilmaz",))
    late = ask(database, world, partners=("yilmaz",))
    with database.write() as session:
        withdraw_request(session, world["keller"].actor(), gone)
    run_until_quiet(database)
    with clock.frozen(later(days=3)):
        with database.write() as session:
            expire_requests(session, clock.now())
        run_until_quiet(database)
    states = [row.state for row in (request_row(database, world["yilmaz"], one) for one in (gone, late)) if row]
    assert states == ["cancelled", "expired"]
    own = [row.state for row in (request_row(database, world["keller"], one) for one in (gone, late)) if row]
    assert own == ["cancelled", "expired"]
    with pytest.raises(Conflict), database.write() as session:
        withdraw_request(session, world["keller"].actor(), late)


def test_a_closed_request_tells_only_that_it_is_over(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, partners=("yilmaz",))
    with database.write() as session:
        session.get_one(WorkRequest, (world["keller"].id, request_id)).state = "contracting"
        close_request(session, world["keller"].id, request_id)
    run_until_quiet(database)
    body = messages_out(database, world["keller"], "request.closed")[0].body
    assert body == {"request_id": request_id, "ending": "contracted"}


def test_a_photo_loses_its_metadata_and_a_drawing_stays_as_it_is(database: Database) -> None:
    world = people_of_the_story(database)
    keller, drawing = world["keller"].actor(), b"%PDF-1.7 drawing"
    with database.write() as session:
        request_id = start_draft(session, keller, RequestKind.HOURS, NEED)
        attach_file(session, keller, request_id, Upload("teil.jpg", photo()))
        attach_file(session, keller, request_id, Upload("teil.pdf", drawing))
        told = Details(
            shortage_reason=ShortageReason.CAPACITY, reply_by=later(days=2), partner_ids=(world["yilmaz"].id,)
        )
        save_details(session, keller, request_id, NEED, told)
        publish_request(session, keller, request_id)
    run_until_quiet(database)
    with database.read() as session:
        received = {file.name: file for file in files_of(session, world["yilmaz"].id, request_id)}
        bodies = {name: file_for(session, world["yilmaz"].id, file.file_id).body for name, file in received.items()}
        assert bodies["teil.pdf"] == drawing
        assert b"SPY-CAMERA" in photo()
        assert b"SPY-CAMERA" not in bodies["teil.jpg"]
        assert Image.open(io.BytesIO(bodies["teil.jpg"])).size == (40, 30)


def test_a_file_that_only_looks_like_a_photo_is_taken_away_before_sending(database: Database) -> None:
    world = people_of_the_story(database)
    keller = world["keller"].actor()
    with database.write() as session:
        request_id = start_draft(session, keller, RequestKind.HOURS, NEED)
        attach_file(session, keller, request_id, Upload("teil.jpg", b"\xff\xd8\xff no picture at all"))
        told = Details(
            shortage_reason=ShortageReason.CAPACITY, reply_by=later(days=2), partner_ids=(world["yilmaz"].id,)
        )
        save_details(session, keller, request_id, NEED, told)
        publish_request(session, keller, request_id)
    run_until_quiet(database)
    assert messages_out(database, world["keller"])[0].body["files"] == []


@pytest.mark.parametrize("upload", [Upload("teil.exe", b"MZ"), Upload("teil.pdf", b"<html>"), Upload("teil.pdf", b"")])
def test_other_files_are_refused_in_plain_words(sqlite_database: Database, upload: Upload) -> None:
    world = people_of_the_story(sqlite_database)
    keller = world["keller"].actor()
    with sqlite_database.write() as session:
        request_id = start_draft(session, keller, RequestKind.HOURS, NEED)
    with pytest.raises(RuleBroken), sqlite_database.write() as session:
        attach_file(session, keller, request_id, upload)


def test_a_draft_with_its_files_can_be_thrown_away_and_goes_by_itself_after_seven_days(database: Database) -> None:
    world = people_of_the_story(database)
    keller = world["keller"].actor()
    with database.write() as session:
        first = start_draft(session, keller, RequestKind.HOURS, NEED)
        attach_file(session, keller, first, Upload("teil.pdf", b"%PDF-1.7"))
        second = start_draft(session, keller, RequestKind.HOURS, NEED)
        attach_file(session, keller, second, Upload("teil.pdf", b"%PDF-1.7"))
        drop_file(session, keller, second, files_of(session, keller.firm_id, second)[0].id)
        discard_draft(session, keller, first)
    with clock.frozen(later(days=8)), database.write() as session:
        expire_requests(session, clock.now())
    assert request_row(database, world["keller"], first) is None
    assert request_row(database, world["keller"], second) is None
    with database.read() as session:
        assert session.query(RequestFile).count() == 0


def test_a_sent_request_is_no_draft_any_more(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, partners=("yilmaz",))
    with pytest.raises(NotFound), database.write() as session:
        save_requirement(session, world["keller"].actor(), request_id, NEED)
    with pytest.raises(NotFound), database.write() as session:
        publish_request(session, world["keller"].actor(), request_id)
    with pytest.raises(NotFound), database.write() as session:
        withdraw_request(session, world["yilmaz"].actor(), request_id)


def questions(database: Database, firm: TestFirm, request_id: str, partner: TestFirm) -> list[tuple[bool, str]]:
    with database.read() as session:
        return [(line.is_ours, line.text) for line in thread(session, firm.id, request_id, partner.id)]


def test_a_question_and_its_answer_are_seen_by_these_two_alone(database: Database) -> None:
    world = people_of_the_story(database)
    keller, yilmaz, brandt = world["keller"], world["yilmaz"], world["brandt"]
    request_id = ask(database, world, partners=("yilmaz", "brandt"))
    with database.write() as session:
        ask_question(
            session, yilmaz.actor(Role.FOREMAN), request_id, "Welches Spannmittel?", [Upload("x.pdf", b"%PDF-1.4 x")]
        )
    run_until_quiet(database)
    assert [alert.person_id for alert in alerts_of(database, keller, "question")] == [keller.people[Role.MANAGER]]
    assert questions(database, keller, request_id, yilmaz) == [(False, "Welches Spannmittel?")]
    with database.read() as session:
        assert len(thread(session, keller.id, request_id, yilmaz.id)[0].files) == 1
    with database.write() as session:
        answer_question(session, keller.actor(), request_id, yilmaz.id, "Schraubstock.")
    run_until_quiet(database)
    assert questions(database, yilmaz, request_id, keller) == [(True, "Welches Spannmittel?"), (False, "Schraubstock.")]
    assert [alert.person_id for alert in alerts_of(database, yilmaz, "answer")] == [yilmaz.people[Role.FOREMAN]]
    assert questions(database, brandt, request_id, keller) == []
    assert questions(database, keller, request_id, brandt) == []
    assert all(message.peer_id == yilmaz.id for message in messages_out(database, keller, "request.answered"))


def test_two_partners_questions_do_not_hide_each_other_and_reading_one_settles_only_that(database: Database) -> None:
    world = people_of_the_story(database)
    request_id, keller = ask(database, world), world["keller"]
    for key in ("yilmaz", "brandt"):
        with database.write() as session:
            ask_question(session, world[key].actor(Role.FOREMAN), request_id, "Welches Spannmittel?")
        run_until_quiet(database)
    told = alerts_of(database, keller, "question")
    assert [alert.cancelled_at for alert in told] == [None, None]
    assert len({tag_of(alert) for alert in told}) == 2
    with database.write() as session:
        mark_thread_seen(session, keller.actor(), request_id, world["yilmaz"].id)
    seen = {alert.url.rsplit("/", 1)[1]: alert.seen_at is not None for alert in alerts_of(database, keller, "question")}
    assert seen == {world["yilmaz"].id: True, world["brandt"].id: False}


def test_questions_to_firms_that_were_not_asked_do_not_exist(database: Database) -> None:
    world = people_of_the_story(database)
    request_id = ask(database, world, partners=("yilmaz",))
    with pytest.raises(NotFound), database.write() as session:
        answer_question(session, world["keller"].actor(), request_id, world["brandt"].id, "Hallo?")
    with pytest.raises(NotFound), database.write() as session:
        ask_question(session, world["brandt"].actor(), request_id, "Hallo?")
    with pytest.raises(RuleBroken, match="Schreib"), database.write() as session:
        ask_question(session, world["yilmaz"].actor(), request_id, "  ")


def test_the_chips_begin_with_what_the_firm_asked_for_last(database: Database) -> None:
    world = people_of_the_story(database)
    with database.read() as session:
        assert process_order(session, world["keller"].id)[0].is_common
    with database.write() as session:
        start_draft(session, world["keller"].actor(), RequestKind.HOURS, replace(NEED, process_key="honing"))
    with database.read() as session:
        assert process_order(session, world["keller"].id)[0].key == "honing"
        assert process_order(session, world["yilmaz"].id)[0].key != "honing"


def test_a_request_remembers_what_own_machines_could_have_done_and_nothing_where_nobody_knows(
    sqlite_database: Database,
) -> None:
    world = people_of_the_story(sqlite_database)
    keller = world["keller"]

    def measured(need: RequirementDraft, title: str) -> int | None:
        request = request_row(sqlite_database, keller, ask(sqlite_database, world, need, title=title))
        assert request is not None
        return request.own_free_min

    assert measured(NEED, "Erstes") is None
    with sqlite_database.write() as session:
        for week in ("2026-W49", "2026-W50"):
            offer_hours(session, keller.actor(Role.FOREMAN), keller.machine_id, week, 600)
    assert measured(NEED, "Zweites") == 1200
    assert measured(replace(NEED, process_key="turning"), "Drittes") == 0
