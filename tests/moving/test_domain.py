"""A firm that moves to another domain: passkeys stay behind, the 24 words of the emergency key open the door."""

import re
from pathlib import Path

import sqlalchemy as sa

from app.core.db import Database
from app.firms.models import Firm
from app.moving.exporting import leave_node, write_archive
from app.moving.importing import import_firm
from app.moving.rules import MOVE
from app.notary.models import LedgerHead
from app.worker import run_until_quiet
from tests.moving.world import TRANSFER_KEY, WORDS
from tests.passkeys.world import start_node


def test_a_manager_enters_under_the_new_domain_by_the_words_on_paper(tmp_path: Path) -> None:
    databases = []
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        databases.append(Database(f"sqlite:///{tmp_path / name}/werkring.sqlite"))
        databases[-1].create_tables()
    old, new = (
        start_node(databases[0], tmp_path / "old"),
        start_node(databases[1], tmp_path / "new", PUBLIC_URL="https://neu.example"),
    )
    petra = old.browser()
    petra.found_firm()
    words = " ".join(re.findall(r'<b lang="en">([a-z]+)</b>', petra.get("/notfall/schluessel").get_data(as_text=True)))
    petra.post("/notfall/schluessel/gedruckt")
    run_until_quiet(old.database)
    with old.database.read() as session:
        firm_id, size = session.execute(
            sa.select(Firm.id, LedgerHead.size).join(LedgerHead, LedgerHead.firm_id == Firm.id)
        ).one()
    leave_node(old.database, firm_id, new.config.node)
    with (tmp_path / "a.tgz").open("wb") as file:
        write_archive(old.database, firm_id, file, TRANSFER_KEY, tmp_path, kind=MOVE, node=old.config.node)
    import_firm(new.database, tmp_path / "a.tgz", WORDS, new.config.node_key, tmp_path / "new", new.config.node)
    browser = new.browser()
    page = browser.post("/notfall", 200, words=words).get_data(as_text=True)
    person_id = re.search(r'name="person_id" value="([\w-]+)"', page)[1]  # type: ignore[index]
    told = browser.register("/notfall/optionen", "/notfall/pruefen", words=words, person_id=person_id)
    assert (told, browser.is_signed_in) == ({"next": "/"}, True)
    with new.database.read() as session:
        assert session.get_one(LedgerHead, firm_id).size > size
    assert "umgezogen" in petra.post("/notfall/schluessel/gedruckt", 409).get_data(as_text=True)
    for database in databases:
        database.close()
