"""What a page does to the database when something goes wrong inside it, and how long it may keep others waiting."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import sqlalchemy.exc
from sqlalchemy.orm import Session
from werkzeug.test import EnvironBuilder

from app.core import clock
from app.core.db import Database, after_commit, void
from app.core.events import CapacityFreed
from app.core.ids import new_id
from app.core.outbox import OutboxRow, emit
from app.firms.access import Role
from app.firms.models import AuditEvent, Firm
from app.machines import tables
from app.passkeys.models import SignIn
from tests.agreements.world import drafted, make_deal
from tests.safety.hostile import ORIGIN, SAME_ORIGIN, open_node
from tests.world import TestFirm, make_firm, make_world


@pytest.fixture
def firm(sqlite_database: Database) -> TestFirm:
    with sqlite_database.write() as session:
        return make_world(session, ("keller",))["keller"]


class SlowBody:
    """A body that notes, while it is read, whether the database could be written meanwhile."""

    def __init__(self, body: bytes, probe: Any) -> None:
        self._body, self._probe, self.was_free, self.is_read = body, probe, True, False

    def read(self, size: int = -1) -> bytes:
        self.was_free, self.is_read = self.was_free and self._probe(), True
        count = min(4, len(self._body)) if size else 0
        piece, self._body = self._body[:count], self._body[count:]
        return piece

    def readline(self, size: int = -1) -> bytes:
        return self.read(size)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/ansicht", "application/x-www-form-urlencoded"),
        ("/anmelden/code", "application/x-www-form-urlencoded"),
        ("/antwort", "application/json"),
        ("/mehr", "application/x-www-form-urlencoded"),
        ("/maschinen/import", "multipart/form-data; boundary=x"),
        ("/push/geraet", "application/json"),
    ],
)
def test_a_body_that_trickles_in_keeps_nobody_else_from_writing(
    sqlite_database: Database, tmp_path: Path, firm: TestFirm, path: str, kind: str
) -> None:
    node = open_node(sqlite_database, tmp_path)
    manager = node.person(firm, Role.MANAGER)
    text = b'{"a": "b"}' if "json" in kind else b"light=sonne"
    body = SlowBody(text, lambda: is_free(sqlite_database))
    environ = EnvironBuilder(path, base_url=ORIGIN, method="POST", headers=SAME_ORIGIN, content_type=kind).get_environ()
    cookie = manager.client.get_cookie("werkring")
    assert cookie is not None
    environ |= {"wsgi.input": body, "CONTENT_LENGTH": str(len(text)), "HTTP_COOKIE": f"werkring={cookie.value}"}
    b"".join(node.app.wsgi_app(environ, lambda *_: None))
    assert body.is_read
    assert body.was_free


def is_free(database: Database) -> bool:
    """Whether another thread can write right now."""
    done = threading.Event()

    def write() -> None:
        with database.write():
            done.set()

    threading.Thread(target=write, daemon=True).start()
    return done.wait(1.0)


def test_a_write_inside_a_write_fails_at_once_instead_of_waiting_for_itself(sqlite_database: Database) -> None:
    outcome: list[object] = []

    def nest() -> None:
        try:
            with sqlite_database.write(), sqlite_database.write():
                outcome.append("inside")
        except RuntimeError as error:
            outcome.append(error)

    thread = threading.Thread(target=nest, daemon=True)
    thread.start()
    thread.join(2)
    assert len(outcome) == 1
    assert isinstance(outcome[0], RuntimeError)
    assert is_free(sqlite_database)


@pytest.mark.parametrize(
    ("page", "form"),
    [("ablehnen", {"note": "x" * 300}), ("aendern", {"reason": ""}), ("absagen", {"reason": ""})],
)
def test_a_refused_form_that_shows_a_price_stops_nobody_and_is_told_to_the_partner(
    sqlite_database: Database, tmp_path: Path, page: str, form: dict[str, str]
) -> None:
    deal = make_deal(sqlite_database)
    agreement_id = drafted(sqlite_database, deal)[0]
    node = open_node(sqlite_database, tmp_path)
    manager = node.person(deal.firms["keller"], Role.MANAGER)
    answers: list[int] = []
    thread = threading.Thread(
        target=lambda: answers.append(frozen_post(manager, f"/vertraege/{agreement_id}/{page}", form)), daemon=True
    )
    thread.start()
    thread.join(10)
    assert answers == [422]
    assert is_free(sqlite_database)
    with sqlite_database.read() as session:
        seen = session.scalars(
            sa.select(AuditEvent.verb).where(
                AuditEvent.firm_id == deal.firms["yilmaz"].id, AuditEvent.verb == "seen_by"
            )
        ).all()
    assert len(seen) == 1


def frozen_post(visitor: Any, path: str, form: dict[str, str]) -> int:
    """A thread has a clock of its own: it begins where the test's stands."""
    import datetime as dt

    with clock.frozen(dt.datetime(2026, 11, 16, 6, 0, tzinfo=dt.UTC)):
        return int(visitor.post(path, data=form).status_code)


def test_a_view_that_raises_after_a_flush_leaves_nothing(sqlite_database: Database, firm: TestFirm) -> None:
    with pytest.raises(ZeroDivisionError), sqlite_database.write() as session:
        session.get_one(Firm, firm.id).name = "Halb"
        emit(session, CapacityFreed(firm.id, firm.machine_id))
        session.flush()
        raise ZeroDivisionError
    assert is_free(sqlite_database)
    with sqlite_database.read() as session:
        assert session.get_one(Firm, firm.id).name == firm.name
        assert session.scalar(sa.select(sa.func.count()).select_from(OutboxRow)) == 0


def test_an_answer_of_422_after_a_flush_leaves_nothing_and_tells_nobody(
    sqlite_database: Database, firm: TestFirm
) -> None:
    told: list[object] = []
    sqlite_database.dispatch = lambda _database, ids: told.append(ids)
    with sqlite_database.write() as session:
        session.get_one(Firm, firm.id).name = "Halb"
        emit(session, CapacityFreed(firm.id, firm.machine_id))
        after_commit(session, told.append)
        session.flush()
        void(session)
    assert told == []
    with sqlite_database.read() as session:
        assert session.get_one(Firm, firm.id).name == firm.name


def test_a_task_engine_that_is_down_does_not_turn_a_stored_deed_into_a_fault(
    sqlite_database: Database, tmp_path: Path
) -> None:
    deal = make_deal(sqlite_database)
    agreement_id = drafted(sqlite_database, deal)[0]
    node = open_node(sqlite_database, tmp_path)

    def broken(_database: Database, _ids: list[str]) -> None:
        raise OSError("disk full")

    sqlite_database.dispatch = broken
    manager = node.person(deal.firms["keller"], Role.MANAGER)
    assert manager.post(f"/vertraege/{agreement_id}/ablehnen", data={"note": "", "once": "k1"}).status_code == 303


def test_pages_are_still_read_when_nothing_can_be_written(
    sqlite_database: Database, tmp_path: Path, firm: TestFirm, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = open_node(sqlite_database, tmp_path)
    foreman = node.person(firm, Role.FOREMAN)
    long_ago(sqlite_database)
    monkeypatch.setattr(sqlite_database, "write", disk_full)
    assert foreman.get("/anbieten").status_code == 200
    assert foreman.get("/mehr").status_code == 200
    refused = foreman.post("/ansicht", data={"light": "sonne"})
    assert refused.status_code == 503
    assert "Gerade kann nichts gespeichert werden." in refused.text


def test_a_database_that_cannot_be_read_is_a_plain_503(
    sqlite_database: Database, tmp_path: Path, firm: TestFirm, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = open_node(sqlite_database, tmp_path)
    foreman = node.person(firm, Role.FOREMAN)
    monkeypatch.setattr(sqlite_database, "read", disk_full)
    answer = foreman.get("/anbieten")
    assert answer.status_code == 503
    assert "Gerade kann nichts gespeichert werden." in answer.text


@contextmanager
def disk_full() -> Iterator[Session]:
    raise sqlalchemy.exc.OperationalError("INSERT", {}, Exception("database or disk is full"))
    yield


def long_ago(database: Database) -> None:
    """Everybody was last seen an hour ago: the next page would note that."""
    import datetime as dt

    with database.write() as session:
        session.execute(sa.update(SignIn).values(last_seen_at=clock.now() - dt.timedelta(hours=1)))


def test_a_fault_of_the_database_never_carries_contents_into_the_log(database: Database) -> None:
    with pytest.raises(sqlalchemy.exc.IntegrityError) as raised, database.write() as session:
        firm = make_firm(session, "keller")
        session.execute(
            sa.insert(Firm).values(
                id=firm.id, address="geheim@test", name="Geheimkunde AG", short_name="x", postcode="1", town="y",
                created_at=clock.now(), name_in_push=True, is_anchored=False, is_demo=False, version=0, legal_form="",
                register_court="", register_no="", vat_id="", street="",
            )
        )  # fmt: skip
    assert "Geheimkunde" not in str(raised.value)


def test_the_same_key_of_another_person_or_page_gives_no_stored_answer(
    sqlite_database: Database, tmp_path: Path
) -> None:
    firms = make_deal(sqlite_database).firms
    node = open_node(sqlite_database, tmp_path)
    manager, foreman = node.person(firms["keller"], Role.MANAGER), node.person(firms["keller"], Role.FOREMAN)
    stranger = node.person(firms["nowak"], Role.MANAGER)
    once = new_id()
    first = manager.post("/partner/einladen", data={"once": once})
    assert first.status_code == 303
    assert manager.post("/partner/einladen", data={"once": once}).location == first.location
    assert manager.post("/zertifikate/neu", data={"once": once}).status_code == 422
    assert manager.post("/partner/einladen", data={"once": once, "x": "y"}).status_code == 422
    assert foreman.post("/partner/einladen", data={"once": once}).status_code == 403
    assert stranger.post("/partner/einladen", data={"once": once}).location != first.location
    assert node.visitor().post("/ansicht", data={"once": once, "back": "/"}).location == "/"


@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/maschinen/import", "Nummer;Bezeichnung;Typ\nM9;Neue Fräse;5-Achs-Bearbeitungszentrum\n"),
        ("/stunden/import", "Maschine;KW;Stunden\nM1;49/2026;10\n"),
    ],
)
def test_a_table_that_takes_long_to_read_keeps_nobody_else_from_writing(
    sqlite_database: Database, tmp_path: Path, firm: TestFirm, monkeypatch: pytest.MonkeyPatch, url: str, body: str
) -> None:
    foreman = open_node(sqlite_database, tmp_path).person(firm, Role.FOREMAN)
    was_free: list[bool] = []
    honest = tables._as_table

    def slowly(raw: Iterator[list[str]]) -> tables.Table:
        was_free.append(is_free(sqlite_database))
        return honest(raw)

    monkeypatch.setattr(tables, "_as_table", slowly)
    sent = foreman.post(url, data={"table": (io.BytesIO(body.encode()), "tabelle.csv")})
    assert sent.status_code == 303
    taken = foreman.post(sent.location)
    assert taken.status_code in (303, 422)
    assert was_free == [True, True]
