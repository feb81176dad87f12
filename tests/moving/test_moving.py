"""Take everything and go: what left one node is on the other, byte by byte, and only one of both goes on."""

import datetime as dt
import gzip
import io
import json
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app.config import load_config
from app.core import clock
from app.core.db import Base, Database
from app.core.errors import RuleBroken
from app.core.events import LogHalted
from app.core.outbox import OutboxRow, emit
from app.federation.actions import store_file
from app.federation.models import Message
from app.firms.access import Role
from app.firms.models import Firm, Person
from app.moving.exporting import leave_node, write_archive
from app.moving.rows import owned_tables
from app.moving.rules import (
    COPY,
    KEPT_COMMITMENTS,
    LEFT_BEHIND,
    LOG,
    MANIFEST,
    MOVE,
    NEEDED_TO_TELL,
    OF_THE_NODE,
    MovingError,
    rows_file,
)
from app.notary.audit import audit_next_log
from app.notary.transfer import return_log
from app.notary.witnesses import halt_of
from app.push.actions import alert_people
from app.push.mails import write_due_mails
from app.push.models import Alert
from app.requests.actions import ask_question
from app.worker import end_what_is_due, run_until_quiet
from tests.agreements.world import Deal, at, verified
from tests.moving.world import WORDS, bring, lines, members, pack, repack, same_files
from tests.moving.year import SMALL, Year
from tests.postgres import empty_tables
from tests.safety.scene import Scene, make_scene


@dataclass
class Way:
    """Two nodes with databases of different kinds, and Keller's house on the first."""

    old: Database
    new: Database
    scene: Scene
    folder: Path

    @property
    def keller(self) -> str:
        return self.scene.houses["keller"].firm.id


@pytest.fixture(params=["to-postgresql", "to-sqlite"])
def way(request: pytest.FixtureRequest, sqlite_database: Database, house_of_postgres: Database, tmp_path: Path) -> Way:
    house_of_postgres.dispatch = None
    empty_tables(house_of_postgres)
    pair = (sqlite_database, house_of_postgres)
    old, new = pair if request.param == "to-postgresql" else pair[::-1]
    return Way(old, new, make_scene(old), tmp_path)


def test_every_row_file_and_entry_is_the_same_on_the_other_node(way: Way) -> None:
    first = pack(way.old, way.keller, way.folder, kind=MOVE)
    found = bring(way.new, first, way.folder)
    again = pack(way.new, way.keller, way.folder, kind=MOVE, name="again")
    files = same_files(first, again)
    told = json.loads(files[MANIFEST])
    assert (found.address, found.is_move, found.entries) == ("keller@test", True, told["ledger"]["size"])
    assert found.rows == sum(one["rows"] for one in told["files"].values() if "rows" in one) > 100
    assert len([name for name in files if name.startswith("files/")]) >= 2
    with way.new.read() as session:
        assert session.scalars(sa.select(Firm.address)).all() == ["keller@test"]


def test_the_archive_is_read_without_us(way: Way) -> None:
    files = members(pack(way.old, way.keller, way.folder))
    (way.folder / "log.jsonl").write_bytes(files[LOG])
    command = [sys.executable, "-m", "ledger", "fsck", str(way.folder / "log.jsonl")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    machines = files["tables/maschinen.csv"].decode("utf-8-sig").splitlines()
    assert "F5-650" in machines[1]
    assert files["tables/vertraege.csv"].decode("utf-8-sig").startswith("Partner;Wer bestellt;Stand;")
    assert "Dreherei Yilmaz" in files["tables/vertraege.csv"].decode("utf-8-sig")
    assert "Keller Manager;Leitung" in files["tables/leute.csv"].decode("utf-8-sig")
    assert b"bei Dreherei Yilmaz" in files["calendar/buchungen.ics"].replace(b"\r\n ", b"")
    assert b"python -m ledger fsck" in files["LIESMICH.txt"]


def test_nothing_of_another_firm_and_no_open_key_is_inside(way: Way) -> None:
    files = members(pack(way.old, way.keller, way.folder))
    rows = {table.name: lines(files[rows_file(table.name)]) for table in owned_tables()}
    assert {row.get("firm_id", way.keller) for found in rows.values() for row in found} == {way.keller}
    assert [row["id"] for row in rows["firm"]] == [way.keller]
    assert not {rows_file(name) for name in LEFT_BEHIND} & files.keys()
    with way.old.read() as session:
        for name in ("work_request", "message", "ledger_entry", "capacity_window"):
            table = Base.metadata.tables[name]
            count = session.scalar(sa.select(sa.func.count()).select_from(table).where(table.c.firm_id == way.keller))
            assert len(rows[name]) == count > 0


def test_the_old_node_appends_nothing_after_a_move_and_the_new_one_goes_on(way: Way) -> None:
    run_until_quiet(way.old)
    leave_node(way.old, way.keller)
    bring(way.new, pack(way.old, way.keller, way.folder, kind=MOVE), way.folder)
    deal = way.scene.deals["keller"]
    with way.old.read() as session:
        assert halt_of(session, way.keller) == "moved"
    with pytest.raises(RuleBroken, match="ruht"):
        _append(way.old, deal)
    assert _append(way.new, deal) > 0
    assert audit_next_log(way.new) == way.keller
    with way.new.read() as session:
        assert halt_of(session, way.keller) == ""


class Meddler(io.BytesIO):
    """Somebody joins the firm while its archive is being written."""

    def __init__(self, database: Database, firm_id: str) -> None:
        super().__init__()
        self.database, self.firm_id, self.has_come = database, firm_id, False

    def write(self, data: Any) -> int:
        if self.tell() > 1000 and not self.has_come:
            self.has_come = True
            with self.database.write() as session:
                session.add(Person(firm_id=self.firm_id, id="late", created_at=clock.now(), name="Späte Petra"))
        return super().write(data)


def test_an_archive_is_of_one_moment(database: Database, tmp_path: Path) -> None:
    keller = make_scene(database).houses["keller"].firm.id
    body = random.Random(1).randbytes(300_000)
    with database.write() as session:
        store_file(session, keller, "gross.bin", "application/pdf", body)
    file = Meddler(database, keller)
    write_archive(database, keller, file, bytes(32), tmp_path)
    (tmp_path / "a.tar.gz").write_bytes(file.getvalue())
    files = members(tmp_path / "a.tar.gz")
    assert file.has_come
    assert [name for name, content in files.items() if "Späte Petra".encode() in content] == []


def test_an_imported_copy_appends_nothing(way: Way) -> None:
    bring(way.new, pack(way.old, way.keller, way.folder), way.folder)
    with way.new.read() as session:
        assert halt_of(session, way.keller) == "copy"
    with pytest.raises(RuleBroken, match="ruht"):
        _append(way.new, way.scene.deals["keller"])
    assert _append(way.old, way.scene.deals["keller"]) > 0


def test_what_was_signed_is_proved_by_the_new_node_too(way: Way) -> None:
    from app.notary.queries import evidence_file

    bring(way.new, pack(way.old, way.keller, way.folder, kind=MOVE), way.folder)
    agreement = at(way.new, way.scene.deals["keller"], "keller", way.scene.houses["keller"].ids["agreement"])
    with way.new.read() as session:
        assert agreement.entry_seq is not None
        body = evidence_file(session, way.keller, agreement.entry_seq, agreement.counterpart)
    assert verified(body, way.folder) == 0


def _append(database: Database, deal: Deal) -> int:
    """One more record of Keller's."""
    from app.notary.actions import append_entry, seal
    from app.notary.documents import Display, new_message
    from app.notary.queries import address, digest

    firm_id = deal.firms["keller"].id
    with database.write() as session:
        text, own = "Vereinbarung 7 ist verfallen.", address(session, firm_id)
        message = new_message("agreement.lapsed", own, own, text, agreement=f"0x{7:064x}", reason="expired")
        sealed = seal(session, firm_id, digest("AgreementLapsed", message))
        return append_entry(
            session,
            firm_id,
            "agreement.lapsed",
            "AgreementLapsed",
            message,
            Display("lapsed.de.1", "de", text),
            [sealed],
        )


def test_a_firm_that_is_here_already_is_refused(way: Way) -> None:
    archive = pack(way.old, way.keller, way.folder)
    with pytest.raises(MovingError, match="on this node already"):
        bring(way.old, archive, way.folder)
    bring(way.new, archive, way.folder)
    with pytest.raises(MovingError, match="on this node already"):
        bring(way.new, archive, way.folder)
    assert _rows_of(way.new, "firm") == 1


def test_a_node_with_other_firms_takes_one_more(way: Way) -> None:
    yilmaz = way.scene.houses["yilmaz"].firm.id
    bring(way.new, pack(way.old, yilmaz, way.folder, name="y"), way.folder)
    bring(way.new, pack(way.old, way.keller, way.folder), way.folder)
    assert _rows_of(way.new, "firm") == 2


def _with(name: str, change: Callable[[bytes], bytes]) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: files | {name: change(files[name])}


def _without(name: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    return lambda files: {one: body for one, body in files.items() if one != name}


DAMAGES = {
    "a changed row": (_with("rows/offer.jsonl", lambda body: body.replace(b"offer", b"offeR", 1) + b" "), "is damaged"),
    "a lost row": (_with("rows/person.jsonl", lambda body: body.split(b"\n", 1)[1]), "is damaged"),
    "a lost file": (_without("rows/machine.jsonl"), "not complete"),
    "one file more": (lambda files: files | {"rows/gift.jsonl": b"{}\n"}, "not complete"),
    "a changed log": (_with(LOG, lambda body: body.replace(b"beginnt", b"beginnT", 1)), "is damaged"),
    "a copy that plays a move": (
        _with(MANIFEST, lambda body: body.replace(b'"copy"', b'"move"')),
        "manifest was changed",
    ),
    "no manifest": (_without(MANIFEST), "no archive"),
    "a broken manifest": (_with(MANIFEST, lambda body: body[:-9]), "no archive"),
    "a way out of the folder": (lambda files: files | {"../evil": b"x"}, "no archive"),
}


@pytest.fixture
def packed(sqlite_database: Database, tmp_path: Path) -> tuple[Path, Database]:
    """Keller's copy, and an empty node."""
    scene = make_scene(sqlite_database)
    archive = pack(sqlite_database, scene.houses["keller"].firm.id, tmp_path)
    node = Database(f"sqlite:///{tmp_path / 'new.sqlite'}")
    node.create_tables()
    return archive, node


def test_a_damaged_archive_is_refused_in_one_sentence_and_changes_nothing(
    packed: tuple[Path, Database], tmp_path: Path
) -> None:
    archive, node = packed
    files = members(archive)
    for change, sentence in DAMAGES.values():
        with pytest.raises(MovingError, match=sentence):
            bring(node, repack(change(files), tmp_path / "bad.tar.gz"), tmp_path)
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(archive.read_bytes()[:-2000])
    for bad in (cut, _gzipped(tmp_path)):
        with pytest.raises(MovingError, match="no archive"):
            bring(node, bad, tmp_path)
    assert all(_rows_of(node, table.name) == 0 for table in Base.metadata.sorted_tables)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == []
    node.close()


def _gzipped(folder: Path) -> Path:
    path = folder / "garbage.gz"
    path.write_bytes(gzip.compress(b"garbage" * 999))
    return path


@pytest.mark.parametrize("words", ["", "abandon " * 24, WORDS.replace(WORDS.split()[0], "quatsch", 1)])
def test_other_words_open_nothing(packed: tuple[Path, Database], tmp_path: Path, words: str) -> None:
    archive, node = packed
    with pytest.raises(MovingError, match="words"):
        bring(node, archive, tmp_path, words)
    node.close()


def test_a_move_waits_until_what_happened_is_settled(sqlite_database: Database) -> None:
    keller = make_scene(sqlite_database).houses["keller"].firm.id
    run_until_quiet(sqlite_database)
    with sqlite_database.write() as session:
        emit(session, LogHalted(keller, "", "damaged"))
    with pytest.raises(MovingError, match="1 events"):
        leave_node(sqlite_database, keller)
    with sqlite_database.read() as session:
        assert halt_of(session, keller) == ""


@pytest.mark.parametrize(("kind", "mails"), [(COPY, 0), (MOVE, 1)])
def test_a_copy_writes_to_nobody(sqlite_database: Database, tmp_path: Path, kind: str, mails: int) -> None:
    keller, node = make_scene(sqlite_database).houses["keller"].firm, Database(f"sqlite:///{tmp_path / 'new.sqlite'}")
    run_until_quiet(sqlite_database)
    with sqlite_database.write() as session:
        session.execute(sa.delete(Alert))
        alert_people(session, keller.id, [keller.people[Role.MANAGER]], "log_halted", keller.id, "/start", {})
        session.execute(sa.update(Alert).values(mail_due_at=clock.now()))
    node.create_tables()
    bring(node, pack(sqlite_database, keller.id, tmp_path, kind=kind), tmp_path)
    write_due_mails(node, load_config({"DATA_DIR": str(tmp_path), "DATABASE_URL": node.url}))
    assert _rows_of(node, "mail") == mails
    node.close()


def test_what_a_partner_sends_waits_and_nothing_follows_here_after_a_move(sqlite_database: Database) -> None:
    scene = make_scene(sqlite_database)
    keller, yilmaz = scene.houses["keller"], scene.houses["yilmaz"]
    run_until_quiet(sqlite_database)
    leave_node(sqlite_database, keller.firm.id)
    with sqlite_database.write() as session:
        ask_question(session, yilmaz.actor(Role.FOREMAN), yilmaz.ids["received"], "Noch da?")
        emit(session, LogHalted(keller.firm.id, "", "damaged"))
    run_until_quiet(sqlite_database)
    assert _state(sqlite_database) == (["waiting"], 0, 1)
    with sqlite_database.write() as session:
        return_log(session, keller.firm.id)
    with clock.frozen(clock.now() + dt.timedelta(days=2)):
        run_until_quiet(sqlite_database)
        assert _state(sqlite_database) == (["delivered"], 1, 0)


def _state(database: Database) -> tuple[list[str], int, int]:
    """Of the last message, of alerts about a resting log, and of events that wait."""
    with database.read() as session:
        sent = session.scalars(
            sa.select(Message.state)
            .where(Message.kind == "request.asked", Message.direction == "out")
            .order_by(Message.id)
        ).all()
        told = sa.select(sa.func.count()).select_from(Alert).where(Alert.kind == "log_halted")
        waiting = sa.select(sa.func.count()).select_from(OutboxRow).where(OutboxRow.settled_at.is_(None))
        return [*sent[-1:]], session.scalar(told) or 0, session.scalar(waiting) or 0


def test_every_table_belongs_to_a_firm_or_stays_for_a_reason() -> None:
    tables = Base.metadata.tables
    bare = {name for name, table in tables.items() if name != "firm" and "firm_id" not in table.c}
    assert bare == OF_THE_NODE.keys()
    assert LEFT_BEHIND.keys() <= tables.keys() - bare
    assert KEPT_COMMITMENTS.keys() | NEEDED_TO_TELL.keys() <= tables.keys() - bare
    assert {table.name for table in owned_tables()} == tables.keys() - bare - LEFT_BEHIND.keys()


def test_the_export_finds_every_table_by_itself() -> None:
    said = "from app.moving.rows import Base; print(*sorted(Base.metadata.tables))"
    found = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout.split()
    assert found == sorted(Base.metadata.tables)


def _rows_of(database: Database, name: str) -> int:
    with database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Base.metadata.tables[name])) or 0


def test_a_small_year_goes_to_a_hub_and_comes_home(
    sqlite_database: Database, house_of_postgres: Database, tmp_path: Path
) -> None:
    """The short form of `python -m tests.long move`."""
    empty_tables(house_of_postgres)
    keller = Year(sqlite_database, SMALL, seed=1).pass_by()
    first = pack(sqlite_database, keller, tmp_path, kind=MOVE)
    bring(house_of_postgres, first, tmp_path)
    files = same_files(first, pack(house_of_postgres, keller, tmp_path, kind=MOVE, name="b"))
    assert "'=1+1" in files["tables/anfragen.csv"].decode() + files["tables/angebote.csv"].decode()
    assert len(lines(files["rows/agreement.jsonl"])) == SMALL.agreements


@pytest.mark.parametrize("has_left", [True, False])
def test_deadlines_change_nothing_of_a_firm_that_moved(sqlite_database: Database, has_left: bool) -> None:
    """But for sign-ins, which are of this node and end here."""
    keller = make_scene(sqlite_database).houses["keller"].firm.id
    run_until_quiet(sqlite_database)
    if has_left:
        leave_node(sqlite_database, keller, "neu.example")
    before = _all_of(sqlite_database, keller)
    with clock.frozen(clock.now() + dt.timedelta(days=70)):
        end_what_is_due(sqlite_database)
    after = _all_of(sqlite_database, keller)
    changed = {name for name in before if before[name] != after[name]} - {"outbox", "sign_in"}
    assert (changed == set()) is has_left, changed


def _all_of(database: Database, firm_id: str) -> dict[str, list[Any]]:
    with database.read() as session:
        return {
            table.name: [tuple(row) for row in session.execute(sa.select(table).where(table.c.firm_id == firm_id))]
            for table in Base.metadata.sorted_tables
            if "firm_id" in table.c
        }
