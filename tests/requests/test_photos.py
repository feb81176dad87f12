"""Nothing leaves the house before the worker has cleaned its photos; then it leaves once, with the hash of the clean bytes."""

import ast
import hashlib
from pathlib import Path

import pytest

import app
from app.core.db import Database
from app.core.errors import NotFound
from app.federation.photos import clean_photos
from app.federation.queries import file_for
from app.firms.access import Role
from app.requests.actions import Details, Upload, ask_question, attach_file, publish_request, save_details, start_draft
from app.requests.queries import files_of, thread
from app.requests.rules import RequestKind, ShortageReason
from app.worker import deliver_messages, run_until_quiet, settle_events
from tests.requests.story import NEED, ask, later, messages_out, people_of_the_story
from tests.requests.test_actions import photo
from tests.world import TestFirm

FALSE_PHOTO = b"\xff\xd8\xff no picture at all"


@pytest.fixture
def world(database: Database) -> dict[str, TestFirm]:
    return people_of_the_story(database)


def publish_with(database: Database, world: dict[str, TestFirm], body: bytes) -> str:
    """Keller asks Yilmaz with one photo; nothing that follows has happened yet."""
    keller = world["keller"].actor()
    told = Details(shortage_reason=ShortageReason.CAPACITY, reply_by=later(days=2), partner_ids=(world["yilmaz"].id,))
    with database.write() as session:
        request_id = start_draft(session, keller, RequestKind.HOURS, NEED)
        attach_file(session, keller, request_id, Upload("teil.jpg", body))
        save_details(session, keller, request_id, NEED, told)
        publish_request(session, keller, request_id)
    return request_id


def test_a_request_waits_for_its_photo_and_then_leaves_once(database: Database, world: dict[str, TestFirm]) -> None:
    request_id = publish_with(database, world, photo())
    settle_without_photos(database)
    assert messages_out(database, world["keller"]) == []
    run_until_quiet(database)
    (message,) = messages_out(database, world["keller"])
    with database.read() as session:
        (own,) = files_of(session, world["keller"].id, request_id)
        (received,) = files_of(session, world["yilmaz"].id, request_id)
        body = file_for(session, world["yilmaz"].id, received.file_id).body
        kept = {(file.sha256, file.size) for file in (own, received)}
    sent = message.body["files"][0]
    assert message.kind == "request.published"
    assert kept == {(sent["sha256"], sent["size"])} == {(hashlib.sha256(body).hexdigest(), len(body))}
    assert b"SPY-CAMERA" not in body


def test_a_photo_that_is_not_clean_yet_opens_for_nobody(database: Database, world: dict[str, TestFirm]) -> None:
    request_id = publish_with(database, world, photo())
    with database.read() as session, pytest.raises(NotFound):
        file_for(session, world["keller"].id, files_of(session, world["keller"].id, request_id)[0].file_id)


def test_what_is_no_picture_holds_nothing_up(database: Database, world: dict[str, TestFirm]) -> None:
    request_id = publish_with(database, world, FALSE_PHOTO)
    settle_without_photos(database)
    assert messages_out(database, world["keller"]) == []
    run_until_quiet(database)
    assert [message.body["files"] for message in messages_out(database, world["keller"])] == [[]]
    with database.read() as session:
        assert list(files_of(session, world["keller"].id, request_id)) == []


def test_a_photo_cleaned_while_the_request_is_still_a_draft_sends_nothing(
    database: Database, world: dict[str, TestFirm]
) -> None:
    keller = world["keller"].actor()
    with database.write() as session:
        request_id = start_draft(session, keller, RequestKind.HOURS, NEED)
        attach_file(session, keller, request_id, Upload("teil.jpg", photo()))
    run_until_quiet(database)
    assert messages_out(database, world["keller"]) == []
    with database.read() as session:
        (own,) = files_of(session, world["keller"].id, request_id)
        stored = file_for(session, world["keller"].id, own.file_id)
        assert (own.sha256, own.size) == (stored.sha256, stored.size)


def test_a_question_waits_for_its_own_photo_only(database: Database, world: dict[str, TestFirm]) -> None:
    request_id = ask(database, world)
    yilmaz = world["yilmaz"].actor(Role.FOREMAN)
    with database.write() as session:
        ask_question(session, yilmaz, request_id, "Passt das Material?", [Upload("kante.jpg", photo())])
        ask_question(session, yilmaz, request_id, "Bis wann?")
    settle_without_photos(database)
    assert asked(database, world) == ["Bis wann?"]
    run_until_quiet(database)
    assert asked(database, world) == ["Bis wann?", "Passt das Material?"]
    with database.read() as session:
        lines = thread(session, world["keller"].id, request_id, world["yilmaz"].id)
        assert sorted(len(line.files) for line in lines) == [0, 1]


def test_a_message_leaves_once_though_its_photo_was_clean_before(
    database: Database, world: dict[str, TestFirm]
) -> None:
    publish_with(database, world, photo())
    assert clean_photos(database) == 1
    run_until_quiet(database)
    assert len(messages_out(database, world["keller"])) == 1


def test_pictures_are_opened_in_one_place() -> None:
    root = Path(app.__file__).parent
    openers = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*.py")) if "PIL" in imported(path)]
    assert openers == ["federation/photos.py"]


def settle_without_photos(database: Database) -> None:
    """What a second worker does while the first one still cleans."""
    while settle_events(database) + deliver_messages(database):
        pass


def asked(database: Database, world: dict[str, TestFirm]) -> list[str]:
    return [message.body["text"] for message in messages_out(database, world["yilmaz"], "request.asked")]


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found
