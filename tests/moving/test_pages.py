"""A manager takes everything along from the phone: confirmed with the passkey, words shown for an hour."""

import datetime as dt
import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from app import factory
from app.config import load_config
from app.core import clock
from app.core.db import Database
from app.firms.models import Firm
from app.moving.importing import import_firm
from app.moving.rules import MANIFEST
from app.notary.transfer import leave_log
from app.passkeys.models import Passkey
from app.worker import end_what_is_due, run_until_quiet
from tests.moving.world import NEW_NODE_KEY, members
from tests.passkeys.world import Browser, Node


@pytest.fixture
def node(sqlite_database: Database, tmp_path: Path) -> Node:
    config = load_config({"DATA_DIR": str(tmp_path), "DATABASE_URL": sqlite_database.url, "PRACTICE": "off"})
    return Node(factory.create_app(config, sqlite_database), sqlite_database, config)


@pytest.fixture
def petra(node: Node) -> Browser:
    browser = node.browser()
    browser.found_firm()
    return browser


def confirm(petra: Browser, path: str = "/betrieb/mitnehmen") -> str:
    """Petra reads and confirms; the address of the page that follows."""
    page = petra.get(path).get_data(as_text=True)
    options = page.split('data-options-url="')[1].split('"')[0].replace("&amp;", "&")
    finish = page.split('data-finish-url="')[1].split('"')[0]
    return str(petra.answer(options, finish)["next"])


def words_on(page: str) -> str:
    words = [part.split("</b>")[0] for part in page.split('<b lang="en">')[1:]]
    assert len(words) == 24
    return " ".join(words)


def test_a_manager_takes_everything_along_and_another_node_reads_it(node: Node, petra: Browser, tmp_path: Path) -> None:
    assert "/betrieb/mitnehmen" in petra.get("/mehr").get_data(as_text=True)
    url = confirm(petra)
    words = words_on(petra.get(url).get_data(as_text=True))
    answer = petra.get(f"{url}/archiv")
    assert (answer.mimetype, "werkring-keller" in answer.headers["Content-Disposition"]) == ("application/gzip", True)
    archive = tmp_path / "a.tar.gz"
    archive.write_bytes(answer.data)
    assert json.loads(members(archive)[MANIFEST])["kind"] == "copy"
    other = Database(f"sqlite:///{tmp_path / 'other.sqlite'}")
    other.create_tables()
    found = import_firm(other, archive, words, NEW_NODE_KEY, tmp_path)
    assert (found.name, found.is_move) == ("Keller Metallbau GmbH", False)
    other.close()
    assert "Alle Daten des Betriebs sind mitgenommen." in petra.get("/protokoll").get_data(as_text=True)


def test_words_and_archive_are_there_for_an_hour_only(petra: Browser) -> None:
    url = confirm(petra)
    with clock.frozen(clock.now() + dt.timedelta(minutes=61)):
        petra.get(url, 404)
        petra.get(f"{url}/archiv", 404)


def test_without_the_passkey_there_is_neither_word_nor_archive(petra: Browser) -> None:
    for path in ("/betrieb/mitnehmen/0192", "/betrieb/mitnehmen/0192/archiv"):
        petra.get(path, 404)


def test_a_manager_leaves_with_the_fingerprint_and_nothing_is_left_to_sign_in_to(node: Node, petra: Browser) -> None:
    run_until_quiet(node.database)
    taken = petra.get(confirm(petra)).get_data(as_text=True)
    assert "/betrieb/verlassen" in taken
    assert confirm(petra, "/betrieb/verlassen") == "/"
    petra.get("/start", 303)
    run_until_quiet(node.database)
    end_what_is_due(node.database)
    with node.database.read() as session:
        assert session.scalars(sa.select(Firm.name)).all() == [""]
        assert session.scalar(sa.select(sa.func.count()).select_from(Passkey)) == 0
    petra.sign_in(status=422)
    assert node.browser().get("/.well-known/werkring/keller.json", 404)


def test_a_firm_that_moved_reads_here_and_changes_nothing(node: Node, petra: Browser) -> None:
    with node.database.write() as session:
        firm_id = session.query(Firm.id).scalar()
        leave_log(session, firm_id)
    page = petra.get("/start").get_data(as_text=True)
    assert "Euer Betrieb ist umgezogen." in page
    assert "ruht" not in page
    petra.post("/betrieb/zwei-leitungen", 409, two_person_above="100")
    petra.post("/ansicht", language="en")
    assert "Your company has moved." in petra.get("/start").get_data(as_text=True)
