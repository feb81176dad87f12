"""Whoever opens a firm's data for support leaves a row in the firm's own Protokoll, whatever becomes of the output."""

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from app import cli
from app.core.db import Database
from app.core.errors import NotFound, RuleBroken
from app.core.events import PlanChosen
from app.core.outbox import OutboxRow, emit
from app.federation.models import Message
from app.firms.access import Role
from app.firms.models import AuditEvent
from app.firms.protocol import OPENED
from app.operator import glass
from app.operator.glass import note_break_glass, opened_data
from app.push.models import Alert
from tests.passkeys.world import start_node
from tests.test_cli import folder as folder
from tests.world import TestFirm, make_world

PURPOSE = "Keine Nachricht kommt bei Yilmaz an"


def openings(database: Database) -> list[tuple[str, dict[str, str]]]:
    """Firm and detail of every row."""
    with database.read() as session:
        rows = session.execute(sa.select(AuditEvent.firm_id, AuditEvent.detail).where(AuditEvent.verb == OPENED))
        return [(row.firm_id, row.detail) for row in rows]


@pytest.fixture
def world(database: Database) -> dict[str, TestFirm]:
    with database.write() as session:
        return make_world(session, ("keller", "yilmaz"))


def test_the_row_names_purpose_and_operator_and_every_manager_is_told(
    database: Database, world: dict[str, TestFirm]
) -> None:
    keller = world["keller"]
    with database.write() as session:
        assert note_break_glass(session, "keller@test", PURPOSE, "root") == keller.id
    assert openings(database) == [(keller.id, {"purpose": PURPOSE, "operator": "root"})]
    with database.read() as session:
        told = session.scalars(sa.select(Alert)).all()
        assert [(one.kind, one.person_id, one.url) for one in told] == [
            ("glass_broken", keller.people[Role.MANAGER], "/protokoll")
        ]


def test_no_purpose_no_opening_and_an_unknown_firm_is_not_there(database: Database, world: dict[str, TestFirm]) -> None:
    for purpose in ("", "   ", "kurz", "x" * 201):
        with pytest.raises(RuleBroken), database.write() as session:
            note_break_glass(session, "keller@test", purpose, "root")
    with pytest.raises(NotFound), database.write() as session:
        note_break_glass(session, "niemand@test", PURPOSE, "root")
    assert openings(database) == []


def test_what_is_opened_is_the_firms_own_and_no_body_of_a_message(
    database: Database, world: dict[str, TestFirm]
) -> None:
    keller, yilmaz = world["keller"], world["yilmaz"]
    with database.write() as session:
        for firm, peer in ((keller, yilmaz), (yilmaz, keller)):
            session.add(
                Message(
                    firm_id=firm.id, id=f"m-{firm.key}", created_at=sa.func.now(), direction="out", peer_id=peer.id,
                    kind="offer.made", seq=1, body={"rate": "geheim"}, state="parked", error="ConnectionError",
                )
            )  # fmt: skip
            emit(session, PlanChosen(firm.id, firm.key))
        session.execute(sa.update(OutboxRow).values(attempts=3, error="KeyError: x"))
    with database.read() as session:
        found = opened_data(session, keller.id)
    assert [(one["kind"], one["peer_id"]) for one in found["stuck_messages"]] == [("offer.made", yilmaz.id)]
    assert [one["error"] for one in found["failed_events"]] == ["KeyError: x"]
    assert "geheim" not in json.dumps(found)


def run(folder: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli.main, ["break-glass", *words], env={"DATA_DIR": str(folder), "SUDO_USER": "rita"})
    return done.exit_code, done.output


def node_rows(folder: Path) -> list[tuple[str, dict[str, str]]]:
    database = Database(f"sqlite:///{folder / 'werkring.sqlite'}")
    try:
        return openings(database)
    finally:
        database.close()


def test_each_use_leaves_its_row_even_when_the_output_fails(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, said = run(folder, "keller@localhost", "--purpose", PURPOSE)
    assert (code, "firm_created" in said) == (0, True), said
    assert run(folder, "keller@localhost")[0] == 2
    assert run(folder, "keller@localhost", "--purpose", "x")[0] == 1
    assert run(folder, "fremd@localhost", "--purpose", PURPOSE)[0] == 1
    assert len(node_rows(folder)) == 1

    def break_off(*_: object) -> None:
        raise OSError("the pipe is closed")

    monkeypatch.setattr(glass, "opened_data", break_off)
    assert run(folder, "keller@localhost", "--purpose", PURPOSE)[0] != 0
    rows = node_rows(folder)
    assert [detail["operator"] for _firm_id, detail in rows] == ["rita", "rita"]
    monkeypatch.undo()
    monkeypatch.setattr(cli.click, "echo", break_off)
    run(folder, "keller@localhost", "--purpose", PURPOSE)
    assert len(node_rows(folder)) == 3


def test_managers_read_on_the_page_who_looked_and_why(sqlite_database: Database, tmp_path: Path) -> None:
    node = start_node(sqlite_database, tmp_path)
    browser = node.browser()
    browser.found_firm()
    assert "Nein, noch nie" in browser.get("/protokoll").get_data(as_text=True)
    with sqlite_database.write() as session:
        note_break_glass(session, "keller@localhost", PURPOSE, "rita")
    page = browser.get("/protokoll").get_data(as_text=True)
    assert "Nein, noch nie" not in page
    assert PURPOSE in page
    assert "rita" in page


def test_status_is_numbers_for_people_or_for_a_machine(folder: Path) -> None:
    done = CliRunner().invoke(cli.main, ["status", "--json"], env={"DATA_DIR": str(folder)})
    facts = json.loads(done.output)
    assert (facts["firms"], facts["worker_silent_s"], done.exit_code) == (1, None, 1)
    assert facts["warnings"][0] == "worker"
    assert facts["schema"] != ""
    assert "Keller" not in done.output
    assert "firms: 1\n" in CliRunner().invoke(cli.main, ["status"], env={"DATA_DIR": str(folder)}).output
