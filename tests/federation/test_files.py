"""Files: fetched only where a message named them, opened as downloads, told to their owner, cleaned before anybody sees them."""

import datetime as dt
import hashlib
import io
from pathlib import Path
from unittest.mock import patch

import pytest
import sqlalchemy as sa
from flask import Flask
from PIL import Image

from app import factory
from app.config import load_config
from app.core import clock
from app.core.db import Database
from app.core.errors import Conflict, NotFound, RuleBroken
from app.federation.actions import fetch_file, send_message, store_file
from app.federation.models import StoredFile
from app.federation.photos import LONGEST_SIDE, clean_photo, clean_photos
from app.federation.queries import file_for
from app.firms.access import Role
from app.firms.models import AuditEvent
from app.passkeys.sessions import start_sign_in
from app.web.security import FILE_POLICY
from tests.conftest import MONDAY
from tests.world import TestFirm, make_world

PDF = b"%PDF-1.4 drawing"
KEYS = ("keller", "yilmaz", "nowak")
BASE = "http://localhost:8000"


@pytest.fixture
def world(database: Database) -> dict[str, TestFirm]:
    with database.write() as session:
        return make_world(session, KEYS)


@pytest.fixture
def app(database: Database, tmp_path: Path) -> Flask:
    config = load_config({"DATA_DIR": str(tmp_path / "data"), "DATABASE_URL": database.url})
    with patch.object(factory, "ROOMS", ("firms", "passkeys", "federation", "partners")):
        return factory.create_app(config, database)


def photo(width: int = 3000, height: int = 1000, kind: str = "JPEG", mode: str = "RGB") -> bytes:
    picture = Image.new(mode, (width, height), (200, 30, 30) if mode == "RGB" else (200, 30, 30, 0))
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif[0x0112] = 6
    out = io.BytesIO()
    picture.save(out, kind, exif=exif)
    return out.getvalue()


def keep(database: Database, firm: TestFirm, body: bytes = PDF, media_type: str = "application/pdf") -> str:
    with database.write() as session:
        return store_file(session, firm.id, 'Zeichnung "1".pdf', media_type, body)


def name_file(database: Database, one: TestFirm, other: TestFirm, file_id: str) -> None:
    with database.write() as session:
        body = {"files": [{"file_id": file_id, "sha256": "x"}]}
        send_message(session, one.id, other.id, "request.published", body)


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def test_only_the_firm_that_a_message_named_the_file_to_may_fetch_it(
    database: Database, world: dict[str, TestFirm]
) -> None:
    keller, yilmaz, nowak = (world[key] for key in KEYS)
    file_id = keep(database, keller)
    with pytest.raises(RuleBroken), database.write() as session:
        fetch_file(session, yilmaz.id, keller.id, file_id, sha(PDF))
    name_file(database, keller, yilmaz, file_id)
    with database.write() as session:
        copy = fetch_file(session, yilmaz.id, keller.id, file_id, sha(PDF))
        assert fetch_file(session, yilmaz.id, keller.id, file_id, sha(PDF)) == copy
        assert file_for(session, yilmaz.id, copy).body == PDF
    for firm, digest in ((nowak, sha(PDF)), (yilmaz, sha(b"other"))):
        with pytest.raises(RuleBroken), database.write() as session:
            fetch_file(session, firm.id, keller.id, file_id, digest)


def test_naming_a_foreign_file_grants_nothing(database: Database, world: dict[str, TestFirm]) -> None:
    keller, yilmaz, nowak = (world[key] for key in KEYS)
    file_id = keep(database, yilmaz)
    name_file(database, keller, nowak, file_id)
    for owner in (keller, yilmaz):
        with pytest.raises(RuleBroken), database.write() as session:
            fetch_file(session, nowak.id, owner.id, file_id, sha(PDF))


def test_an_uncleaned_photo_never_leaves_the_house(database: Database, world: dict[str, TestFirm]) -> None:
    file_id = keep(database, world["keller"], photo(), "image/jpeg")
    with pytest.raises(Conflict):
        name_file(database, world["keller"], world["yilmaz"], file_id)
    with pytest.raises(NotFound), database.read() as session:
        file_for(session, world["keller"].id, file_id)


def test_the_worker_cleans_waiting_photos_and_throws_away_what_is_none(
    database: Database, world: dict[str, TestFirm], app: Flask
) -> None:
    keller = world["keller"]
    good = keep(database, keller, photo(), "image/jpeg")
    bad = keep(database, keller, b"\xff\xd8\xff no picture", "image/jpeg")
    assert clean_photos(database) == 2
    assert clean_photos(database) == 0
    with database.read() as session:
        file = file_for(session, keller.id, good)
        picture = Image.open(io.BytesIO(file.body))
        assert (file.sha256, file.size) == (sha(file.body), len(file.body))
        assert b"SecretCamera" not in file.body
        assert not picture.getexif()
        assert max(picture.size) == LONGEST_SIDE
        assert picture.height > picture.width, "turned upright"
        assert session.get(StoredFile, (keller.id, bad)) is None


def test_a_decompression_bomb_is_no_picture() -> None:
    bomb = io.BytesIO()
    Image.new("1", (12_000, 12_000)).save(bomb, "PNG")
    assert len(bomb.getvalue()) < 100_000
    assert clean_photo(bomb.getvalue(), "image/png") is None
    assert clean_photo(photo(40, 40), "image/png") is None
    assert clean_photo(photo(40, 40), "image/gif") is None
    assert clean_photo(photo()[:500], "image/jpeg") is None


def test_a_see_through_drawing_gets_a_white_ground() -> None:
    body = clean_photo(photo(40, 40, "PNG", "RGBA"), "image/png")
    assert body is not None
    assert Image.open(io.BytesIO(body)).getpixel((5, 5)) == (255, 255, 255)


def test_a_download_is_an_attachment_that_can_run_nothing(
    database: Database, world: dict[str, TestFirm], app: Flask
) -> None:
    keller, yilmaz, nowak = (world[key] for key in KEYS)
    file_id = keep(database, keller)
    name_file(database, keller, yilmaz, file_id)
    with database.write() as session:
        copy = fetch_file(session, yilmaz.id, keller.id, file_id, sha(PDF))
    answer = get(database, app, yilmaz, f"/dateien/{copy}")
    assert answer.status_code == 200
    assert answer.data == PDF
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''Zeichnung%20%221%22.pdf"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == FILE_POLICY
    assert "no-store" in answer.headers["Cache-Control"]
    for firm, path in ((nowak, copy), (keller, copy), (nowak, file_id), (yilmaz, file_id)):
        assert get(database, app, firm, f"/dateien/{path}").status_code == 404


def test_the_owner_sees_which_firm_opened_its_file_once_a_day_and_no_person(
    database: Database, world: dict[str, TestFirm], app: Flask
) -> None:
    keller, yilmaz = world["keller"], world["yilmaz"]
    file_id = keep(database, keller)
    name_file(database, keller, yilmaz, file_id)
    with database.write() as session:
        copy = fetch_file(session, yilmaz.id, keller.id, file_id, sha(PDF))
    for role in (Role.MANAGER, Role.FOREMAN, Role.MANAGER):
        get(database, app, yilmaz, f"/dateien/{copy}", role)
    with clock.frozen(MONDAY + dt.timedelta(days=1)):
        get(database, app, yilmaz, f"/dateien/{copy}")
    get(database, app, keller, f"/dateien/{file_id}")
    with database.read() as session:
        seen = session.execute(
            sa.select(AuditEvent.about_firm_id, AuditEvent.created_at, AuditEvent.person_id)
            .where(AuditEvent.firm_id == keller.id, AuditEvent.verb == "seen_by", AuditEvent.object_id == file_id)
            .order_by(AuditEvent.created_at)
        ).all()
        people = session.scalars(
            sa.select(AuditEvent.person_id).where(AuditEvent.firm_id == keller.id, AuditEvent.verb == "file_opened")
        ).all()
        own = session.scalars(
            sa.select(AuditEvent.person_id).where(AuditEvent.firm_id == yilmaz.id, AuditEvent.verb == "file_opened")
        ).all()
    assert [(one[0], one[1].day, one[2]) for one in seen] == [(yilmaz.id, 16, None), (yilmaz.id, 17, None)]
    page = get(database, app, keller, "/protokoll").get_data(as_text=True)
    assert "Dreherei Yilmaz hat eure Datei" in page
    assert people == []
    assert sorted(own) == sorted(
        [yilmaz.people[Role.MANAGER], yilmaz.people[Role.FOREMAN], yilmaz.people[Role.MANAGER]]
    )


def get(database: Database, app: Flask, firm: TestFirm, path: str, role: Role = Role.MANAGER):  # type: ignore[no-untyped-def]
    with database.write() as session:
        signed_in = start_sign_in(session, firm.id, firm.people[role], "Handy", has_passkey=True)
    client = app.test_client()
    client.set_cookie("werkring", signed_in.secret, domain="localhost")
    return client.get(path, base_url=BASE)
