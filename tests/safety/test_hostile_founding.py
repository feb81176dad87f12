"""Strangers who begin firms halfway, in the wrong order, and twice at once."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from app.core.db import Database
from app.firms.models import Firm
from tests.passkeys.world import FACTS, Browser, start_node


@pytest.fixture
def browser(sqlite_database: Database, tmp_path: Path) -> Browser:
    return start_node(sqlite_database, tmp_path).browser()


def firm_count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Firm)) or 0


def test_facts_typed_anew_between_the_tap_and_its_answer_need_a_new_tap(
    sqlite_database: Database, browser: Browser
) -> None:
    browser.post("/betrieb/neu", **FACTS)
    browser.register("/betrieb/neu/schluessel/optionen", "/betrieb/neu/schluessel")
    options = browser.send("/betrieb/neu/bestaetigen/optionen")
    credential = browser.passkey.get(options)
    browser.post("/betrieb/neu", **(FACTS | {"name": "Ganz anders GmbH"}))
    found = browser.send("/betrieb/neu/bestaetigen", {"credential": credential}, status=404)
    assert found["error"]
    assert firm_count(sqlite_database) == 0


def test_two_browsers_that_begin_the_same_firm_at_once_end_with_two_addresses(
    sqlite_database: Database, tmp_path: Path
) -> None:
    node = start_node(sqlite_database, tmp_path)
    one, two = node.browser(), node.browser()
    answers = []
    for browser in (one, two):
        browser.post("/betrieb/neu", **FACTS)
        browser.register("/betrieb/neu/schluessel/optionen", "/betrieb/neu/schluessel")
        answers.append(browser.passkey.get(browser.send("/betrieb/neu/bestaetigen/optionen")))
    one.send("/betrieb/neu/bestaetigen", {"credential": answers[0]})
    two.send("/betrieb/neu/bestaetigen", {"credential": answers[1]}, status=422)
    two.answer("/betrieb/neu/bestaetigen/optionen", "/betrieb/neu/bestaetigen")
    assert firm_count(sqlite_database) == 2


def test_a_founding_without_any_step_before_it_is_a_sentence(sqlite_database: Database, browser: Browser) -> None:
    for path in ("/betrieb/neu/schluessel/optionen", "/betrieb/neu/bestaetigen/optionen"):
        assert browser.send(path, status=404)["error"]
    for path in ("/betrieb/neu/schluessel", "/betrieb/neu/bestaetigen", "/notfall/pruefen", "/geraete/schluessel"):
        body: dict[str, object] = {"credential": {"id": "x", "response": {}}}
        answer = browser.client.post(
            path, base_url="http://localhost:8000", json=body,
            headers={"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"},
        )  # fmt: skip
        assert 400 <= answer.status_code < 500
    assert firm_count(sqlite_database) == 0
