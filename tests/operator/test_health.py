"""The operator sees how the node is, with a key of its own, and nothing of what the firms do."""

import dataclasses
import datetime as dt
import json
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.config import ConfigError, load_config
from app.core import clock
from app.core.db import Database
from app.core.events import PlanChosen
from app.core.outbox import OutboxRow, emit
from app.factory import create_app
from app.federation.models import Message
from app.operator.health import Health, health_of
from app.worker import note_heartbeat
from tests.world import make_world

KEY = "ab" * 32


def state(database: Database, folder: Path) -> Health:
    with database.read() as session:
        return health_of(session, folder)


def test_a_fresh_node_says_that_its_worker_never_ran(database: Database, tmp_path: Path) -> None:
    found = state(database, tmp_path)
    assert found.worker_silent_s is None
    assert "worker" in found.warnings
    note_heartbeat(database)
    assert state(database, tmp_path).worker_silent_s == 0
    with clock.frozen(clock.now() + dt.timedelta(minutes=4)):
        assert "worker" in state(database, tmp_path).warnings


def test_what_waits_is_counted_and_the_oldest_has_an_age(database: Database, tmp_path: Path) -> None:
    with database.write() as session:
        firms = make_world(session, ("keller", "yilmaz"))
        emit(session, PlanChosen(firms["keller"].id, "x"))
        for number, waits in enumerate(("waiting", "waiting", "parked")):
            session.add(
                Message(
                    firm_id=firms["keller"].id, id=f"m{number}", created_at=clock.now(), direction="out",
                    peer_id=firms["yilmaz"].id, kind="request.published", seq=number + 1, body={}, state=waits,
                )
            )  # fmt: skip
    with clock.frozen(clock.now() + dt.timedelta(hours=2)):
        found = state(database, tmp_path)
    assert (found.firms, found.events_waiting, found.oldest_event_s) == (2, 1, 7200)
    assert (found.messages_waiting, found.messages_parked, found.oldest_message_s) == (2, 1, 7200)
    assert "messages" in found.warnings
    assert found.database_bytes > 10_000
    assert 0 < found.disk_free_bytes <= found.disk_total_bytes
    with database.write() as session:
        session.execute(sa.update(OutboxRow).values(parked_at=clock.now()))
    assert state(database, tmp_path).events_parked == 1
    assert "events" in state(database, tmp_path).warnings


def test_the_page_opens_with_the_key_alone_and_shows_no_word_of_a_firm(
    sqlite_database: Database, tmp_path: Path
) -> None:
    with sqlite_database.write() as session:
        firms = make_world(session)
    config = load_config({"DATA_DIR": str(tmp_path), "DATABASE_URL": sqlite_database.url})
    client = create_app(replace(config, operator_key=KEY), sqlite_database).test_client()

    def ask(password: str) -> tuple[int, str]:
        told = {"Authorization": "Basic " + b64encode(f"x:{password}".encode()).decode()} if password else {}
        answer = client.get("/betreiber", headers=told, base_url=config.origin)
        return answer.status_code, answer.get_data(as_text=True)

    assert ask("") == (401, "")
    assert ask("ac" * 32) == (401, "")
    status, page = ask(KEY)
    assert status == 200
    assert "Letztes Zeichen" in page
    for firm in firms.values():
        for word in (firm.name, firm.id, f"{firm.key}@"):
            assert word not in page
    for _ in range(9):
        status, _page = ask("ad" * 32)
    assert status == 429


def test_without_the_setting_the_page_is_like_one_that_never_was(sqlite_database: Database, tmp_path: Path) -> None:
    config = load_config({"DATA_DIR": str(tmp_path), "DATABASE_URL": sqlite_database.url})
    client = create_app(config, sqlite_database).test_client()
    there, never = (client.get(path, base_url=config.origin).get_data() for path in ("/betreiber", "/betreibex"))
    assert there.replace(b"/betreiber", b"") == never.replace(b"/betreibex", b"")


def test_everything_in_it_is_a_number_or_a_version(sqlite_database: Database, tmp_path: Path) -> None:
    facts = dataclasses.asdict(state(sqlite_database, tmp_path))
    words = {name for name, value in facts.items() if isinstance(value, str)}
    assert words == {"version", "python", "database", "schema"}
    json.dumps(facts)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "operator.key"
    path.write_text(KEY)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="OPERATOR_KEY_FILE"):
        load_config({"DATA_DIR": str(tmp_path), "OPERATOR_KEY_FILE": str(path)})
    path.chmod(0o600)
    assert load_config({"DATA_DIR": str(tmp_path), "OPERATOR_KEY_FILE": str(path)}).operator_key == KEY
    with pytest.raises(ConfigError, match="OPERATOR_KEY_FILE"):
        load_config({"DATA_DIR": str(tmp_path), "OPERATOR_KEY_FILE": "/no/such/file"})
